"""The sandbox: a local AWS, real Kubernetes clusters, a registry and a Docker daemon, in namespaces of their own.

`host` is what happens on the machine itself (start, stop, status); `__main__` runs inside the namespaces; `world` is
what the AWS server asks for when somebody creates a cluster, a node group or a balancer.
"""
