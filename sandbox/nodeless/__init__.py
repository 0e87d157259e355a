"""A real Kubernetes control plane that is kept for many accounts, one after another, and stand-ins for the machines.

Real: etcd, API server, controller manager, scheduler, AWS's cloud controller, EKS's webhooks, the account itself.
Stand-ins: kubelets and what pods do (`kubelet.py`, `gateway.py`), the registry and the Docker engine (`registry.py`).
"""
