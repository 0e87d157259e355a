//! Nodes that do not come: what keeps them is told, and nothing else.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_ec2::types::{Instance, InstanceStateName};
use tritondeploy::cloud::Cloud;
use tritondeploy::cloud::inventory::Inventory;
use tritondeploy::cloud::tags::filter;
use tritondeploy::config::Config;
use tritondeploy::deployment::graph;
use tritondeploy::engine::{Outcome, Remedy, Report, Status, Timing, Walk};
use tritondeploy_support::faults::{Effect, Fault, Mode};
use tritondeploy_support::local_aws::LocalAws;
use tritondeploy_support::walk::aloud;

use crate::crash::held_in;
use crate::{account, down, up, walk};

/// How each cause is told.
const CAUSES: [&str; 7] = [
    "has no route to the internet",
    "leads to the NAT gateway",
    "lacks the policy",
    "has no access entry",
    "has no add-on",
    "has no room for the nodes",
    "left in the zones of the nodes",
];

/// What a walk says, in which it must name this cause alone.
fn names_only(told: &str, cause: Option<&str>) {
    let named: Vec<_> = CAUSES.into_iter().filter(|cause| told.contains(cause)).collect();
    assert_eq!(named, cause.into_iter().collect::<Vec<_>>(), "{told}");
}

/// Why the nodes did not come, which nothing else failed for.
fn failure(ended: &Outcome) -> &str {
    let [failure] = &ended.failures[..] else { panic!("{ended:?}") };
    assert_eq!(&*failure.node, "node-group");
    &failure.why
}

/// Lets `up` go until EKS has the node group, takes something away that its nodes need, and gives the failure's words.
async fn without<F: Future<Output = ()>>(local: &LocalAws, cloud: &Arc<Cloud>, taken: impl FnOnce() -> F) -> String {
    // Nobody joins before it is taken away.
    local.mode(Mode::NodeCreationFailure { seconds: 1380 });
    let going = held_in(local, walk(cloud).await, 1, "after", "eks:CreateNodegroup").await;
    taken().await;
    local.end_modes();
    local.ask("POST", "release");
    let ended = going.await.unwrap();
    let why = failure(&ended).to_owned();
    assert!(why.contains("NodeCreationFailure: Instances failed to join the kubernetes cluster"), "{why}");
    why
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_nodes_from_joining_is_told_and_nothing_else() {
    let (local, cloud, before) = account().await;
    let (aws, name) = (&cloud.aws, cloud.config.name.as_str());
    let role = format!("{name}-us-east-1-node");

    let told = without(&local, &cloud, || async {
        let cluster = aws.eks.describe_cluster().name(name).send().await.unwrap().cluster.unwrap();
        for subnet in cluster.resources_vpc_config.unwrap().subnet_ids() {
            let of_subnet = filter("association.subnet-id", subnet);
            let tables = aws.ec2.describe_route_tables().filters(of_subnet).send().await.unwrap().route_tables.unwrap();
            let table = tables[0].route_table_id().unwrap();
            // Two subnets have one.
            let _gone = aws.ec2.delete_route().route_table_id(table).destination_cidr_block("0.0.0.0/0").send().await;
        }
    });
    names_only(&told.await, Some("has no route to the internet"));
    down(&cloud).await;
    assert_eq!(local.dump(), before);

    let told = without(&local, &cloud, || async {
        let policy = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy";
        aws.iam.detach_role_policy().role_name(&role).policy_arn(policy).send().await.unwrap();
    });
    let told = told.await;
    names_only(&told, Some("lacks the policy"));
    let first = format!("the role of the nodes, {role}, lacks the policy AmazonEKSWorkerNodePolicy, and so no node joins (");
    assert!(told.starts_with(&first), "{told}");
    down(&cloud).await;

    let told = without(&local, &cloud, || async {
        aws.eks.delete_addon().cluster_name(name).addon_name("vpc-cni").send().await.unwrap();
        // While it goes, nodes join.
        while aws.eks.describe_addon().cluster_name(name).addon_name("vpc-cni").send().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    names_only(&told.await, Some("has no add-on"));
    down(&cloud).await;

    // Where nothing of that is missing, nothing of it is named.
    local.mode(Mode::NodeCreationFailure { seconds: 1380 });
    names_only(failure(&walk(&cloud).await.up().await), None);
    local.end_modes();
    down(&cloud).await;
    assert_eq!(local.dump(), before);
}

/// An action that each search for a cause asks once.
const SEARCH: &str = "iam:ListAttachedRolePolicies";
const LOOK: &str = "eks:DescribeNodegroup";
/// How many times as fast as AWS all goes.
const SPEED: u32 = 60;

/// The node group of an `up` goes.
async fn delete_group(cloud: &Cloud) {
    let (eks, name) = (&cloud.aws.eks, cloud.config.name.as_str());
    eks.delete_nodegroup().cluster_name(name).nodegroup_name("gpu").send().await.unwrap();
    while eks.describe_nodegroup().cluster_name(name).nodegroup_name("gpu").send().await.is_ok() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_waited_for_until_eks_gives_up_and_what_keeps_them_is_told_before_without_many_calls() {
    let (local, cloud, before) = account().await;
    let (eks, name) = (&cloud.aws.eks, cloud.config.name.as_str());
    up(&cloud).await;
    delete_group(&cloud).await;
    let inventory = Inventory::read(&cloud).await.unwrap();
    let graph = graph(&cloud.config, &inventory, None).up_to("node-group");
    let said = Arc::new(Mutex::new(String::new()));
    let heard = said.clone();
    // It looks as often as it can, and has that part of its patience.
    let timing = Timing { speed: SPEED, longest: Timing::default().shortest, ..Timing::default() };
    let walk = Walk { timing, ..aloud(&cloud, graph, move |line| *heard.lock().unwrap() += &format!("{line}\n")) };
    // As EKS does: it gives up after 23 min.
    local.mode(Mode::NodeCreationFailure { seconds: 1380 });
    let going = held_in(&local, walk, 1, "after", "eks:CreateNodegroup").await;
    let entries = eks.list_access_entries().cluster_name(name).send().await.unwrap().access_entries.unwrap();
    let entry = entries.iter().find(|principal| principal.ends_with("-node")).expect("EKS made it with the group");
    eks.delete_access_entry().cluster_name(name).principal_arn(entry).send().await.unwrap();
    // Without a delay: they count.
    for action in [SEARCH, LOOK] {
        local.fault(&Fault::of(Effect::Delay(0.0)).on(action));
    }
    local.ask("POST", &format!("speed?factor={SPEED}"));
    local.ask("POST", "release");
    while !said.lock().unwrap().contains("it is deleted and created again") {
        assert!(!going.is_finished(), "{:?}", going.await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let fired = local.end_faults();
    local.end_modes();
    local.ask("POST", "speed?factor=600");
    let ended = going.await.unwrap();
    assert!(ended.ok(), "with the new group EKS makes the entry anew: {ended:?}");

    let said = said.lock().unwrap().clone();
    names_only(&said, Some("has no access entry"));
    let cause = format!("the role of the nodes, {name}-us-east-1-node, has no access entry in the cluster, and so no node joins");
    assert!(said.contains(&format!("node-group: {cause} (CREATING)\n")), "{said}");
    let failed = "CREATE_FAILED: NodeCreationFailure: Instances failed to join the kubernetes cluster";
    assert!(said.contains(&format!("node-group: broken ({cause} ({failed})): it is deleted")), "{said}");
    let of = |action: &str| fired.iter().filter(|fired| *fired == action).count();
    assert_eq!(of(SEARCH), 2, "once in the minute before it failed, and once then");
    assert!(of(LOOK) > 50, "{} looks", of(LOOK));
    down(&cloud).await;
    assert_eq!(local.dump(), before);
}

/// How often EKS was asked for a node group.
fn groups_made(local: &LocalAws) -> usize {
    let calls = local.ask("GET", "calls")["calls"].clone();
    calls.as_array().unwrap().iter().filter(|call| call["action"] == "eks:CreateNodegroup").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_ec2_does_not_give_fail_once_with_the_reason_and_the_next_run_tries_again() {
    let (local, cloud, before) = account().await;
    let type_left = |zone| Mode::Capacity { zone };
    let cases = [
        (vec![Mode::Quota { code: "L-DB2E81BA", vcpus: 3 }], "has no room for the nodes", "VcpuLimitExceeded"),
        (["us-east-1a", "us-east-1b"].map(type_left).to_vec(), "left in the zones of the nodes", "InsufficientInstanceCapacity"),
    ];
    for (modes, cause, code) in cases {
        modes.into_iter().for_each(|mode| local.mode(mode));
        local.reset_calls();
        let ended = walk(&cloud).await.up().await;
        let told = failure(&ended);
        names_only(told, Some(cause));
        let before_words = told.split_once(" (CREATE_FAILED: AsgInstanceLaunchFailures: ").map(|(cause, _)| cause);
        assert!(before_words.is_some_and(|told| told.contains(cause) && told.contains("g4dn.xlarge")), "{told}");
        assert!(told.contains(code) && groups_made(&local) == 1, "it would not be given a minute later: {told}");
        local.end_modes();
    }
    // Of one zone, the other one's will do.
    local.mode(type_left("us-east-1a"));
    up(&cloud).await;
    let instances = cloud.aws.ec2.describe_instances().send().await.unwrap().reservations.unwrap();
    let running = |instance: &&Instance| instance.state().and_then(|state| state.name()) == Some(&InstanceStateName::Running);
    let zones = instances.iter().flat_map(|one| one.instances()).filter(running);
    let zones: Vec<_> = zones.filter_map(|one| one.placement()?.availability_zone()).collect();
    assert_eq!(zones, ["us-east-1b"]);
    local.end_modes();
    down(&cloud).await;
    assert_eq!(local.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_degraded_group_is_told_with_eks_s_reason_unless_no_nodes_are_wanted() {
    let (local, cloud, before) = account().await;
    up(&cloud).await;
    local.mode(Mode::Degraded);
    let of_group = |report: Report| report.nodes.into_iter().find(|seen| &*seen.node == "node-group").unwrap();
    let seen = of_group(walk(&cloud).await.look().await);
    let Status::Broken { why, remedy } = &seen.status else { panic!("{:?}", seen.status) };
    assert!(why.starts_with("DEGRADED: AccessDenied: ") && *remedy == Remedy::Wait, "{why} {remedy:?}");
    names_only(why, None);

    let mut empty = Config::default();
    (empty.nodes.min, empty.nodes.desired) = (0, 0);
    let empty = local.cloud(empty).await;
    local.end_modes();
    up(&empty).await;
    // It stays so until it is scaled out again (containers-roadmap#2326).
    local.mode(Mode::Degraded);
    assert_eq!(of_group(walk(&empty).await.look().await).status, Status::Present);
    local.reset_calls();
    assert_eq!((up(&empty).await.changed, local.mutating()), (0, 0));
    local.end_modes();
    down(&cloud).await;
    assert_eq!(local.dump(), before);
}
