//! What Triton's container asks for, and may use.

use crate::cloud::machine::Machine;

/// The gateway's memory limit in MiB, as `templates/deployment.yaml` has it.
const GATEWAY_LIMIT_MIB: i64 = 3 * 1024;
/// The gateway's CPU request in millicores, there too.
const GATEWAY_MILLICORES: i64 = 250;

/// Kubernetes quantities.
pub(super) struct Size {
    /// It takes a GPU.
    pub(super) gpu: bool,
    pub(super) cpu: String,
    pub(super) memory: String,
    pub(super) memory_limit: String,
}

impl Size {
    /// On a GPU node: the smallest of them (4 vCPUs, 16 GiB) has room for it, and on larger ones there is a pod for each GPU.
    pub(super) fn gpu() -> Self {
        Self { gpu: true, cpu: "1".to_owned(), memory: "4Gi".to_owned(), memory_limit: "10Gi".to_owned() }
    }

    /// On a node of this type. One without GPUs is one pod's: it asks for three quarters of what the gateway leaves, so
    /// that no second one fits beside it and an agent of somebody else's does, and may use all of the memory.
    pub(super) fn on(machine: &Machine) -> Self {
        if machine.has_gpu() {
            return Self::gpu();
        }
        let cpu = (machine.free_millicores() - GATEWAY_MILLICORES) * 3 / 4;
        let memory = machine.free_mib() - GATEWAY_LIMIT_MIB;
        Self {
            gpu: false,
            cpu: format!("{}m", cpu.max(1)),
            memory: format!("{}Mi", (memory * 3 / 4).max(1)),
            memory_limit: format!("{}Mi", memory.max(1)),
        }
    }
}
