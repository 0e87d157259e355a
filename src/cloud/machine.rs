//! What an instance type is, as EC2 describes it: with an NVIDIA GPU or without, how large, and whether it will do.

use aws_sdk_ec2::types::{ArchitectureType, InstanceType, InstanceTypeInfo};

use super::aws::{Aws, OrFault};
use crate::config::{Config, Nodes};
use crate::engine::Fault;

/// The least memory of a node without a GPU, in MiB: Triton, the gateway's 3 GiB, and what EKS keeps.
const LEAST_MIB: i64 = 8 * 1024;
/// The fewest vCPUs of a node without a GPU.
const LEAST_VCPUS: i64 = 2;

/// What EC2 answers about a type that it has not, or not in this region.
const UNKNOWN: [&str; 2] = ["InvalidInstanceType", "InvalidParameterValue"];

/// An instance type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    vcpus: i64,
    memory_mib: i64,
    /// Pods that get an address of the subnet.
    max_pods: i64,
    /// NVIDIA's.
    gpus: i64,
    x86_64: bool,
    /// What else computes in it, as a user knows it.
    accelerator: Option<String>,
}

/// The reference deployment's g4dn.xlarge: for `down`, which needs no more than this.
impl Default for Machine {
    fn default() -> Self {
        Self { vcpus: 4, memory_mib: 16 * 1024, max_pods: 29, gpus: 1, x86_64: true, accelerator: None }
    }
}

impl Machine {
    /// The configured instance type.
    ///
    /// # Errors
    /// When EC2 does not tell, or the region has no such type.
    pub async fn read(aws: &Aws, config: &Config) -> Result<Self, Fault> {
        let kind = config.nodes.instance_type.as_str();
        let call = aws.ec2.describe_instance_types().instance_types(InstanceType::from(kind));
        let answer = call.send().await.fault_or_absent(&UNKNOWN)?;
        let found = answer.and_then(|answer| answer.instance_types?.into_iter().next());
        found.as_ref().map(Self::of).ok_or_else(|| {
            let region = &aws.region;
            Fault::fatal(format!("nodes.instance_type: EC2 has no instance type {kind} in {region}"))
                .with_next("write \"g4dn.xlarge\", or \"t3.xlarge\" for one without a GPU")
        })
    }

    /// One without a GPU, for tests.
    #[cfg(test)]
    pub(crate) fn cpu(vcpus: i64, gib: i64, max_pods: i64) -> Self {
        Self { vcpus, memory_mib: gib * 1024, max_pods, gpus: 0, x86_64: true, accelerator: None }
    }

    fn of(info: &InstanceTypeInfo) -> Self {
        let network = info.network_info();
        let of_network = |of: fn(&aws_sdk_ec2::types::NetworkInfo) -> Option<i32>| i64::from(network.and_then(of).unwrap_or(0));
        let (interfaces, addresses) = (
            of_network(aws_sdk_ec2::types::NetworkInfo::maximum_network_interfaces),
            of_network(aws_sdk_ec2::types::NetworkInfo::ipv4_addresses_per_interface),
        );
        let gpus = info.gpu_info().map(|info| info.gpus()).unwrap_or_default();
        let (nvidia, other): (Vec<_>, Vec<_>) = gpus.iter().partition(|gpu| gpu.manufacturer() == Some("NVIDIA"));
        // Of a part of a GPU EC2 says that there are 0; the node has one device all the same.
        let count = nvidia.iter().map(|gpu| i64::from(gpu.count().unwrap_or(1).max(1))).sum();
        let other = other.first().map(|gpu| format!("a GPU by {}", gpu.manufacturer().unwrap_or("somebody else")));
        let neuron = info.neuron_info().is_some() || info.inference_accelerator_info().is_some();
        let neuron = neuron.then(|| "AWS Neuron accelerators".to_owned());
        let fpga = info.fpga_info().map(|_| "FPGAs".to_owned());
        let media = info.media_accelerator_info().map(|_| "media accelerators".to_owned());
        let processor = info.processor_info();
        Self {
            vcpus: i64::from(info.v_cpu_info().and_then(|cpu| cpu.default_v_cpus()).unwrap_or(0)),
            memory_mib: info.memory_info().and_then(|memory| memory.size_in_mib()).unwrap_or(0),
            max_pods: interfaces * (addresses - 1).max(0) + 2,
            gpus: count,
            x86_64: processor.is_none_or(|processor| processor.supported_architectures().contains(&ArchitectureType::X8664)),
            accelerator: other.or(neuron).or(fpga).or(media),
        }
    }

    /// vCPUs of one.
    #[must_use]
    pub fn vcpus(&self) -> i64 {
        self.vcpus
    }

    /// Whether its nodes offer NVIDIA GPUs: then each pod takes one.
    #[must_use]
    pub fn has_gpu(&self) -> bool {
        self.gpus > 0
    }

    /// EKS's name of the node image: the configured one, else the one that goes with the type.
    #[must_use]
    pub fn ami_type<'a>(&self, nodes: &'a Nodes) -> &'a str {
        let fitting = if self.has_gpu() { "AL2023_x86_64_NVIDIA" } else { "AL2023_x86_64_STANDARD" };
        nodes.ami_type.as_deref().unwrap_or(fitting)
    }

    /// Millicores that pods of ours may ask for together.
    ///
    /// The node keeps 6 % of the first core, 1 % of the second, 0.5 % of the next two and 0.25 % of the rest for itself
    /// (nodeadm's kube-reserved, <https://github.com/awslabs/amazon-eks-ami>). aws-node asks for 50m, kube-proxy for 100m,
    /// and both pods of CoreDNS for 100m each.
    #[must_use]
    pub fn free_millicores(&self) -> i64 {
        let tenths: i64 = (0..self.vcpus).map(|core| [600, 100, 50, 50].get(core as usize).copied().unwrap_or(25)).sum();
        self.vcpus * 1000 - tenths.div_euclid(10) - 50 - 100 - 2 * 100
    }

    /// MiB that pods of ours may use together.
    ///
    /// A node has less than its type says: firmware and kernel keep a part, for which Karpenter reckons 7.5 % (its
    /// `VM_MEMORY_OVERHEAD_PERCENT`). nodeadm reserves 255 MiB and 11 MiB a pod, and the kubelet evicts below 100 MiB.
    /// Both pods of CoreDNS ask for 70 MiB each.
    #[must_use]
    pub fn free_mib(&self) -> i64 {
        self.memory_mib * 925 / 1000 - (255 + 11 * self.max_pods) - 100 - 2 * 70
    }

    /// Why nodes of this type cannot serve this configuration, each naming its key.
    #[must_use]
    pub fn problems(&self, config: &Config) -> Vec<String> {
        let kind = &config.nodes.instance_type;
        if !self.x86_64 {
            return vec![format!(
                "nodes.instance_type: {kind} is an arm64 (Graviton) machine, and Triton's image and the gateway are built for x86_64; \
                 write \"g4dn.xlarge\", or \"t3.xlarge\" for one without a GPU"
            )];
        }
        if let Some(accelerator) = self.accelerator.as_ref().filter(|_| !self.has_gpu()) {
            return vec![format!(
                "nodes.instance_type: {kind} has {accelerator}, which are paid for and which Triton's image does not use; \
                 write \"g4dn.xlarge\" for an NVIDIA GPU, or \"t3.xlarge\" for none"
            )];
        }
        let small = self.memory_mib < LEAST_MIB || self.vcpus < LEAST_VCPUS;
        if !self.has_gpu() && small {
            return vec![format!(
                "nodes.instance_type: {kind} has {} vCPUs and {} MiB of memory, and Triton, the gateway and what EKS keeps want \
                 {LEAST_VCPUS} and {LEAST_MIB}; write \"t3.xlarge\", for instance",
                self.vcpus, self.memory_mib
            )];
        }
        self.image(&config.nodes).into_iter().chain(self.replicas(config)).collect()
    }

    /// What is wrong with the configured node image.
    fn image(&self, nodes: &Nodes) -> Option<String> {
        let (kind, ami) = (&nodes.instance_type, nodes.ami_type.as_deref()?);
        let fitting = self.ami_type(&Nodes { ami_type: None, ..nodes.clone() }).to_owned();
        let nvidia = ami.contains("NVIDIA") || ami.contains("GPU");
        let why = match () {
            () if ami.contains("ARM_64") => "is for arm64 machines, and this is an x86_64 one".to_owned(),
            () if self.has_gpu() && !nvidia && ami != "CUSTOM" => format!("has no driver for the GPU of {kind}"),
            () if !self.has_gpu() && nvidia => format!("is for NVIDIA GPUs, and {kind} has none"),
            () => return None,
        };
        Some(format!("nodes.ami_type: {ami} {why}; leave it out, or write \"{fitting}\""))
    }

    /// More pods than there is room for: each takes a GPU, and without GPUs a node.
    fn replicas(&self, config: &Config) -> Option<String> {
        let (kind, replicas, desired) = (&config.nodes.instance_type, config.workload.replicas, config.nodes.desired);
        let (each, what) = if self.has_gpu() { (self.gpus, "GPU") } else { (1, "node") };
        let have = each.saturating_mul(i64::from(desired));
        let replicas = i64::from(replicas);
        (have < replicas).then(|| {
            let pods = format!("workload.replicas: {replicas} pods take a {what} each, and {desired} x {kind} has {have}");
            format!("{pods}; write replicas = {have} or nodes.desired = {}", (replicas + each - 1) / each)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::{
        FpgaInfo, GpuDeviceInfo, GpuInfo, InferenceAcceleratorInfo, MemoryInfo, NetworkInfo, ProcessorInfo, VCpuInfo,
    };

    fn info(
        vcpus: i32,
        gib: i64,
        network: (i32, i32),
        arch: ArchitectureType,
    ) -> aws_sdk_ec2::types::builders::InstanceTypeInfoBuilder {
        let network = NetworkInfo::builder().maximum_network_interfaces(network.0).ipv4_addresses_per_interface(network.1);
        InstanceTypeInfo::builder()
            .v_cpu_info(VCpuInfo::builder().default_v_cpus(vcpus).build())
            .memory_info(MemoryInfo::builder().size_in_mib(gib * 1024).build())
            .network_info(network.build())
            .processor_info(ProcessorInfo::builder().supported_architectures(arch).build())
    }

    fn gpu(maker: &str, count: i32) -> GpuInfo {
        GpuInfo::builder().gpus(GpuDeviceInfo::builder().manufacturer(maker).count(count).build()).build()
    }

    fn cpu() -> Machine {
        Machine::of(&info(4, 8, (4, 15), ArchitectureType::X8664).build())
    }

    fn config(instance_type: &str, change: impl FnOnce(&mut Config)) -> Config {
        let mut config = Config::default();
        config.nodes.instance_type = instance_type.to_owned();
        change(&mut config);
        config
    }

    fn told(machine: &Machine, change: impl FnOnce(&mut Config)) -> String {
        machine.problems(&config("a.b", change)).join("\n")
    }

    #[test]
    fn a_machine_is_what_ec2_says_of_it() {
        assert_eq!(cpu(), Machine { vcpus: 4, memory_mib: 8192, max_pods: 58, gpus: 0, x86_64: true, accelerator: None });
        let one = info(4, 16, (3, 10), ArchitectureType::X8664).gpu_info(gpu("NVIDIA", 1)).build();
        assert_eq!(Machine::of(&one), Machine::default());
        // An eighth of an L4 (g6f.large): EC2 counts none.
        let part = info(2, 8, (2, 10), ArchitectureType::X8664).gpu_info(gpu("NVIDIA", 0)).build();
        assert!(Machine::of(&part).has_gpu());
    }

    #[test]
    fn the_node_image_follows_the_type() {
        let nodes = |ami: Option<&str>| Nodes { ami_type: ami.map(str::to_owned), ..Nodes::default() };
        assert_eq!(cpu().ami_type(&nodes(None)), "AL2023_x86_64_STANDARD");
        assert_eq!(Machine::default().ami_type(&nodes(None)), "AL2023_x86_64_NVIDIA");
        assert_eq!(Machine::default().ami_type(&nodes(Some("BOTTLEROCKET_x86_64_NVIDIA"))), "BOTTLEROCKET_x86_64_NVIDIA");
    }

    #[test]
    fn what_is_left_of_a_node_is_what_eks_and_its_add_ons_leave() {
        // c7i.xlarge: 80m reserved, 350m asked for; 7577 MiB seen, 893 reserved, 100 for eviction, 140 asked for.
        assert_eq!((cpu().free_millicores(), cpu().free_mib()), (3570, 6444));
    }

    #[test]
    fn a_type_that_will_not_do_is_told_with_what_to_write() {
        assert_eq!(told(&cpu(), |_| {}), "");
        assert_eq!(told(&Machine::default(), |_| {}), "");
        let of = |info: aws_sdk_ec2::types::builders::InstanceTypeInfoBuilder| told(&Machine::of(&info.build()), |_| {});
        let x86 = || info(4, 16, (4, 15), ArchitectureType::X8664);
        for (told, words) in [
            (of(info(4, 16, (4, 15), ArchitectureType::Arm64)), "arm64 (Graviton)"),
            (of(info(4, 16, (4, 15), ArchitectureType::Arm64).gpu_info(gpu("NVIDIA", 1))), "arm64 (Graviton)"),
            (of(info(2, 4, (3, 6), ArchitectureType::X8664)), "has 2 vCPUs and 4096 MiB"),
            (of(info(1, 8, (3, 6), ArchitectureType::X8664)), "has 1 vCPUs and 8192 MiB"),
            (of(x86().gpu_info(gpu("AMD", 1))), "a GPU by AMD"),
            (of(x86().inference_accelerator_info(InferenceAcceleratorInfo::builder().build())), "AWS Neuron accelerators"),
            (of(x86().fpga_info(FpgaInfo::builder().build())), "FPGAs"),
        ] {
            assert!(told.starts_with("nodes.instance_type: a.b ") && told.contains(words), "no {words:?} in {told:?}");
            assert!(told.contains("write \"") && told.lines().count() == 1, "{told}");
        }
    }

    #[test]
    fn an_image_that_does_not_go_with_the_type_is_refused() {
        let with = |machine: &Machine, ami: &str| told(machine, |c| c.nodes.ami_type = Some(ami.to_owned()));
        assert_eq!(with(&cpu(), "BOTTLEROCKET_x86_64"), "");
        assert_eq!(with(&Machine::default(), "BOTTLEROCKET_x86_64_NVIDIA"), "");
        assert!(with(&cpu(), "AL2023_x86_64_NVIDIA").ends_with("leave it out, or write \"AL2023_x86_64_STANDARD\""));
        assert!(with(&Machine::default(), "AL2023_x86_64_STANDARD").contains("has no driver for the GPU"));
        assert!(with(&cpu(), "AL2023_ARM_64_STANDARD").contains("is for arm64"));
    }

    #[test]
    fn each_pod_takes_a_gpu_or_a_node() {
        let sized = |machine: &Machine, replicas, desired| {
            told(machine, |c| (c.workload.replicas, c.nodes.desired) = (replicas, desired))
        };
        let four = Machine { gpus: 4, ..Machine::default() };
        assert_eq!(sized(&four, 8, 2), "");
        assert!(
            sized(&four, 9, 1).ends_with("9 pods take a GPU each, and 1 x a.b has 4; write replicas = 4 or nodes.desired = 3")
        );
        assert_eq!(sized(&cpu(), 2, 2), "");
        assert!(
            sized(&cpu(), 3, 2).ends_with("3 pods take a node each, and 2 x a.b has 2; write replicas = 2 or nodes.desired = 3")
        );
    }
}
