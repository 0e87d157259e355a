//! The user's own tags: on all that takes tags, kept right, and never a reason to make anything anew.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Filter, Tag};
use aws_sdk_elasticloadbalancingv2::types::{Action, ActionTypeEnum, LoadBalancerSchemeEnum, LoadBalancerTypeEnum, ProtocolEnum};
use serde_json::Value;
use tritondeploy::cloud::Cloud;
use tritondeploy::cloud::tags::{self, read, set, steps_between};
use tritondeploy::config::Config;
use tritondeploy::engine::{Report, UpdateMode};

use crate::crash::killed;
use crate::{down, up, walk};
use tritondeploy_support::local_aws::LocalAws;

const OWNER: &str = "tritondeploy:deployment";

/// How the ids of what takes tags in EC2 begin.
const EC2: [&str; 11] = ["vpc-", "subnet-", "igw-", "rtb-", "eipalloc-", "nat-", "vpce-", "lt-", "i-", "vol-", "eni-"];

fn with(tags: &[(&str, &str)]) -> Config {
    let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Config { tags: tags.collect(), ..Config::default() }
}

/// The tags of everything in the dump that carries ours, each with where it is. Services keep them as a map or as a list.
fn tagged(dump: &Value) -> BTreeMap<String, BTreeMap<String, String>> {
    fn text(value: &Value) -> Option<String> {
        Some(value.as_str()?.to_owned())
    }
    fn walk(value: &Value, path: &str, found: &mut BTreeMap<String, BTreeMap<String, String>>) {
        let tags: BTreeMap<String, String> = match value {
            Value::Object(fields) => {
                let own = fields.iter().map(|(key, value)| Some((key.clone(), text(value)?)));
                let keyed = || fields.values().map(|tag| Some((text(&tag["Key"])?, text(&tag["Value"])?)));
                own.collect::<Option<_>>().or_else(|| keyed().collect()).unwrap_or_default()
            }
            Value::Array(tags) => {
                let pair = |tag: &Value| {
                    let of = |name: &str| text(&tag[name]).or_else(|| text(&tag[name.to_lowercase()]));
                    Some((of("Key")?, of("Value")?))
                };
                tags.iter().map(pair).collect::<Option<_>>().unwrap_or_default()
            }
            _ => return,
        };
        if tags.contains_key(OWNER) {
            found.insert(path.to_owned(), tags);
            return;
        }
        match value {
            Value::Object(fields) => fields.iter().for_each(|(key, value)| walk(value, &format!("{path}/{key}"), found)),
            Value::Array(all) => all.iter().enumerate().for_each(|(i, value)| walk(value, &format!("{path}/{i}"), found)),
            _ => {}
        }
    }
    let mut found = BTreeMap::new();
    walk(dump, "", &mut found);
    // What the template gives to nodes is of the day on which it was made.
    found.retain(|path, _| !path.contains("/launch_templates/"));
    found
}

/// Nodes, their volumes and interfaces, with their tags.
async fn nodes(cloud: &Cloud) -> BTreeMap<String, BTreeMap<String, String>> {
    let running = Filter::builder().name("instance-state-name").values("running").build();
    let answer = cloud.aws.ec2.describe_instances().filters(running).send().await.unwrap();
    let mut things = BTreeMap::new();
    for instance in answer.reservations().iter().flat_map(|reservation| reservation.instances()) {
        let disks = instance.block_device_mappings().iter().filter_map(|disk| disk.ebs()?.volume_id());
        let interfaces = instance.network_interfaces().iter().filter_map(|interface| interface.network_interface_id());
        for id in disks.chain(interfaces).chain(instance.instance_id()) {
            let of_it = Filter::builder().name("resource-id").values(id).build();
            let told = cloud.aws.ec2.describe_tags().filters(of_it).send().await.unwrap();
            let tags = told.tags().iter().map(|tag| (tag.key().unwrap().to_owned(), tag.value().unwrap().to_owned()));
            things.insert(id.to_owned(), tags.collect());
        }
    }
    things
}

/// All that carries our tags, and all of the nodes.
async fn everything(local: &LocalAws, cloud: &Cloud) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut all = tagged(&local.dump());
    all.extend(nodes(cloud).await);
    all
}

/// Where something does not carry these, or carries one of those.
fn odd(all: &BTreeMap<String, BTreeMap<String, String>>, these: &[(&str, &str)], not: &[&str]) -> Vec<String> {
    let fits = |tags: &BTreeMap<String, String>| {
        these.iter().all(|(key, value)| tags.get(*key).is_some_and(|is| is == value))
            && !not.iter().any(|key| tags.contains_key(*key))
    };
    all.iter().filter(|(_, tags)| !fits(tags)).map(|(path, tags)| format!("{path}: {tags:?}")).collect()
}

/// The nodes of the graph that differ, each with the fields in which they do.
fn differing(survey: &Report) -> BTreeMap<String, Vec<String>> {
    let differs = survey.nodes.iter().filter(|seen| !seen.changes.is_empty());
    let fields = |seen: &tritondeploy::engine::NodeReport| {
        assert!(seen.changes.iter().all(|(_, how)| *how == UpdateMode::InPlace), "{seen:?}");
        seen.changes.iter().map(|(change, _)| change.field.clone()).collect()
    };
    differs.map(|seen| (seen.node.to_string(), fields(seen))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_made_with_the_users_tags_and_changed_in_place_when_they_change() {
    let local = LocalAws::pretending(600);
    let first = local.cloud(with(&[("CostCentre", "4711"), ("Owner", "vision"), ("Stage of it", "a=b")])).await;
    let before = local.dump();
    up(&first).await;
    let made = everything(&local, &first).await;
    let list = ("tritondeploy:tags", "CostCentre Owner Stage@_of@_it");
    assert_eq!(
        odd(&made, &[("CostCentre", "4711"), ("Owner", "vision"), ("Stage of it", "a=b"), list], &[]),
        Vec::<String>::new()
    );
    for kind in EC2 {
        assert!(made.keys().any(|path| path.rsplit('/').next().unwrap().starts_with(kind)), "no {kind}: {:?}", made.keys());
    }
    for kind in ["/iam/", "/eks/", "/ecr/", "/s3/", "nodegroups", "addons", "entries", "open_id"] {
        assert!(made.keys().any(|path| path.contains(kind)), "no {kind}: {:?}", made.keys());
    }
    local.reset_calls();
    assert_eq!((up(&first).await.changed, local.mutating()), (0, 0));

    // One value changes, one key goes, one comes.
    let second = local.cloud(with(&[("CostCentre", "4712"), ("Owner", "vision"), ("Team", "")])).await;
    let plan = differing(&walk(&second).await.look().await);
    let wanted = ["surplus_tags", "tags.CostCentre", "tags.Team", "tags.tritondeploy:tags"];
    assert!(
        plan.contains_key("tags/nodes")
            && plan.values().all(|fields| {
                let mut fields = fields.clone();
                fields.sort_unstable();
                fields == wanted
            }),
        "{plan:?}"
    );
    let template_and_nodes = || async { (nodes(&second).await.into_keys().collect::<Vec<_>>(), plan.len()) };
    let ids = template_and_nodes().await;
    up(&second).await;
    let changed = everything(&local, &second).await;
    let list = ("tritondeploy:tags", "CostCentre Owner Team");
    let now = [("CostCentre", "4712"), ("Owner", "vision"), ("Team", ""), list];
    assert_eq!(odd(&changed, &now, &["Stage of it"]), Vec::<String>::new());
    assert_eq!((template_and_nodes().await, changed.len()), (ids, made.len()), "nothing was made anew");
    local.reset_calls();
    assert_eq!((up(&second).await.changed, local.mutating()), (0, 0));

    // None of them any more.
    let none = local.cloud(Config::default()).await;
    up(&none).await;
    let gone = ["CostCentre", "Owner", "Team", "tritondeploy:tags"];
    assert_eq!(odd(&everything(&local, &none).await, &[], &gone), Vec::<String>::new());
    local.reset_calls();
    assert_eq!((up(&none).await.changed, local.mutating()), (0, 0));
    down(&none).await;
    assert_eq!(local.dump(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_of_others_stay_and_a_tag_of_ours_that_was_changed_by_hand_is_put_right() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(with(&[("Owner", "vision"), ("Stage", "test")])).await;
    up(&cloud).await;
    let last = |path: String| path.rsplit('/').next().unwrap().to_owned();
    let ids = everything(&local, &cloud).await.into_keys().map(last);
    let ec2: Vec<String> = ids.filter(|id| EC2.iter().any(|kind| id.starts_with(kind))).collect();
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let call = cloud.aws.ec2.create_tags().set_resources(Some(ec2.clone()));
    call.tags(tag("Backup", "daily")).tags(tag("owner", "a colleague's")).send().await.unwrap();
    let (bucket, s3, account) = (cloud.bucket(), &cloud.aws.s3, &cloud.aws.account);
    let theirs = aws_sdk_s3::types::Tag::builder().key("Backup").value("daily").build().unwrap();
    let there = s3.get_bucket_tagging().bucket(&bucket).send().await.unwrap().tag_set;
    let tagging = aws_sdk_s3::types::Tagging::builder().set_tag_set(Some(there)).tag_set(theirs).build().unwrap();
    s3.put_bucket_tagging().bucket(&bucket).tagging(tagging).expected_bucket_owner(account).send().await.unwrap();
    let cluster = cloud.aws.eks.describe_cluster().name(&cloud.config.name).send().await.unwrap().cluster.unwrap();
    cloud.aws.eks.tag_resource().resource_arn(cluster.arn.unwrap()).tags("Backup", "daily").send().await.unwrap();
    local.reset_calls();
    assert_eq!((up(&cloud).await.changed, local.mutating()), (0, 0), "tags of others are no difference");

    // By hand: a value, a key that is gone, and on the nodes the list.
    cloud.aws.ec2.create_tags().set_resources(Some(ec2.clone())).tags(tag("Owner", "nobody")).send().await.unwrap();
    let key = |key: &str| Tag::builder().key(key).build();
    let call = cloud.aws.ec2.delete_tags().set_resources(Some(ec2.clone()));
    call.tags(key("Stage")).tags(key("tritondeploy:tags")).send().await.unwrap();
    let role = format!("{}-us-east-1-node", cloud.config.name);
    cloud.aws.iam.untag_role().role_name(&role).tag_keys("Owner").send().await.unwrap();
    let plan = differing(&walk(&cloud).await.look().await);
    for node in ["vpc", "subnet/public-0", "nat-gateway", "role/node", "launch-template", "tags/nodes"] {
        assert!(plan.get(node).is_some_and(|fields| fields.contains(&"tags.Owner".to_owned())), "{node}: {plan:?}");
    }
    up(&cloud).await;
    let list = ("tritondeploy:tags", "Owner Stage");
    let all = everything(&local, &cloud).await;
    assert_eq!(odd(&all, &[("Owner", "vision"), ("Stage", "test"), list], &[]), Vec::<String>::new());
    assert!(all.values().filter(|tags| tags.get("Backup").is_some_and(|value| value == "daily")).count() >= ec2.len() + 2);

    // What others put on outlives a change and the end of ours.
    up(&local.cloud(with(&[("Owner", "audio")])).await).await;
    let none = local.cloud(Config::default()).await;
    up(&none).await;
    let all = everything(&local, &none).await;
    assert_eq!(odd(&all, &[], &["Owner", "Stage", "tritondeploy:tags"]), Vec::<String>::new());
    assert!(all.values().filter(|tags| tags.contains_key("Backup")).count() >= ec2.len() + 2);
    assert!(all.values().filter(|tags| tags.contains_key("owner")).count() >= ec2.len());
    down(&none).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_tags_that_was_killed_at_any_call_leaves_none_that_nobody_lists() {
    let local = LocalAws::pretending(600);
    let now = local.cloud(with(&[("Owner", "vision")])).await;
    up(&now).await;
    for (nth, when) in [(1, "after"), (4, "before"), (9, "after"), (15, "before"), (22, "after")] {
        // On the way there, on the way back, and then once more to the end.
        let there = with(&[("Owner", "audio"), (when, "x"), (&format!("of {nth}"), "y")]);
        killed(&local, there, nth, when).await;
        killed(&local, now.config.clone(), nth, when).await;
        up(&now).await;
        let all = everything(&local, &now).await;
        let list = ("tritondeploy:tags", "Owner");
        assert_eq!(odd(&all, &[("Owner", "vision"), list], &[when, &format!("of {nth}")]), Vec::<String>::new(), "{nth} {when}");
    }
    local.reset_calls();
    assert_eq!((up(&now).await.changed, local.mutating()), (0, 0));
    down(&now).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_comes_later_gets_the_tags_of_today() {
    let local = LocalAws::pretending(600);
    let first = local.cloud(with(&[("Owner", "vision"), ("Stage", "test")])).await;
    up(&first).await;
    let mut config = with(&[("Owner", "audio")]);
    (config.nodes.desired, config.nodes.max, config.workload.replicas) = (2, 2, 1);
    let second = local.cloud(config).await;
    let old = nodes(&second).await;
    up(&second).await;
    let new = nodes(&second).await;
    assert!(new.len() > old.len() && old.keys().all(|id| new.contains_key(id)), "{old:?} {new:?}");
    assert_eq!(odd(&new, &[("Owner", "audio")], &["Stage"]), Vec::<String>::new());
    assert_eq!(up(&second).await.changed, 0);
    down(&second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balancer_and_its_target_groups_get_the_tags_of_today_and_keep_those_of_others() {
    let local = LocalAws::start(600);
    let cloud = local.cloud(with(&[("Owner", "audio"), ("formula", "a=b")])).await;
    let (aws, ec2, elb) = (&cloud.aws, &cloud.aws.ec2, &cloud.aws.elb);
    let vpc = ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap().vpc.unwrap().vpc_id.unwrap();
    let subnet = ec2.create_subnet().vpc_id(&vpc).cidr_block("10.0.0.0/24").send().await.unwrap().subnet.unwrap();
    // As the cloud controller made them, with an annotation of the day before.
    let before = with(&[("Owner", "vision"), ("Stage", "test")]).tags;
    let tags = tags::user(&before).with("kubernetes.io/service-name", "triton/triton-server").with(OWNER, &cloud.config.name);
    let call = elb.create_load_balancer().name("a1").r#type(LoadBalancerTypeEnum::Network).set_tags(Some(tags.elb()));
    let made = call.scheme(LoadBalancerSchemeEnum::Internal).subnets(subnet.subnet_id.unwrap()).send().await.unwrap();
    let balancer = made.load_balancers()[0].load_balancer_arn().unwrap().to_owned();
    for port in [8080, 8000] {
        let call = elb.create_target_group().name(format!("t{port}")).protocol(ProtocolEnum::Tcp).port(port).vpc_id(&vpc);
        let group = call.set_tags(Some(tags.elb())).send().await.unwrap().target_groups.unwrap().remove(0).target_group_arn;
        let forward = Action::builder().r#type(ActionTypeEnum::Forward).set_target_group_arn(group).build();
        let listener = elb.create_listener().load_balancer_arn(&balancer).port(port).protocol(ProtocolEnum::Tcp);
        listener.default_actions(forward).send().await.unwrap();
    }
    let other = elb.create_target_group().name("other").protocol(ProtocolEnum::Tcp).port(80).vpc_id(&vpc).send().await.unwrap();
    let other = other.target_groups()[0].target_group_arn().unwrap();

    for wanted in [cloud.user_tags(), tags::user(&BTreeMap::new())] {
        let things = read::balancer(aws, &balancer).await.unwrap().unwrap();
        assert!(things.len() == 3 && !things.contains_key(other), "{things:?}");
        for (arn, tags) in &things {
            set::elb(aws, arn, &steps_between(tags, &wanted)).await.unwrap();
        }
        let kept = [("kubernetes.io/service-name", "triton/triton-server"), (OWNER, cloud.config.name.as_str())];
        let all: tags::Tags = wanted.iter().chain(kept).collect();
        let now = read::balancer(aws, &balancer).await.unwrap().unwrap();
        assert!(now.values().all(|tags| *tags == all && steps_between(tags, &wanted).is_empty()), "{now:?}");
    }
    elb.delete_load_balancer().load_balancer_arn(&balancer).send().await.unwrap();
    assert!(read::balancer(aws, &balancer).await.unwrap().is_none());
}
