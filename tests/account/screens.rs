//! What users and scripts read, whole: one file a screen in `screens/`. After a change that is meant, `INSTA_UPDATE=always`
//! writes them anew, and the difference is read before it is committed.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::ResourceType;
use serde_json::{Value, json};
use tritondeploy::config::{Config, Storage};
use tritondeploy_support::local_aws::LocalAws;

use crate::broken::break_node_group;
use crate::lease::protocol::write;
use crate::operator::Operator;
use crate::{down, up};

/// Compares with `screens/NAME.snap`, without what differs in every run.
fn screen(name: &str, text: &str) {
    let filters = [
        // Before the account: the end of a request's id may be twelve digits as well.
        (r"request [0-9a-fA-F-]{16,}", "request ID"),
        (r"\b(vpc|subnet|igw|nat|rtb|eni|eipalloc|rtbassoc|lt|vpce|i|vol|sg)-[0-9a-f]{8,}", "$1-ID"),
        (r"\b\d{12}\b", "ACCOUNT"),
        (r"\b[0-9A-F]{32}\b", "OIDC-ID"),
        (r"\(as arn:[^)]*\)", "(as CALLER)"),
        (r"by arn:aws:iam::ACCOUNT:\S+", "by CALLER"),
        (r"since \d{4}-\d\d-\d\dT[0-9:.]+Z", "since TIME"),
        (r"renewed( its lease)? (\d+ s|\d+ ms) ago", "renewed$1 SECONDS ago"),
        // The idle engine of the tests closes its connection, before or after its answer was read.
        (r"(Docker could not build the gateway image): .*", "$1: CAUSE"),
        (r"log: \S+", "log: FILE"),
        (r"/[^\s:,]*/tritondeploy(\.toml|-gateway)?\b", "FOLDER/tritondeploy$1"),
        // Another one from the day on which it ends.
        (r"(cluster_support +).*", "${1}SUPPORT"),
        (r"(up|down) (done|ended) after .*", "$1 $2 after TIME"),
    ];
    insta::with_settings!({
        filters => filters, snapshot_path => "screens", prepend_module_to_snapshot => false, omit_expression => true,
    }, { insta::assert_snapshot!(name, text) });
}

/// Without the lines of progress, whose order is chance.
fn closing(text: &str) -> String {
    text.lines().filter(|line| !is_progress(line)).map(|line| format!("{line}\n")).collect()
}

fn is_progress(line: &str) -> bool {
    let told = line.strip_prefix("  ").and_then(|line| line.split_once(": ")).map(|(_, told)| told);
    let of_progress = [
        "creating",
        "deleting",
        "updating",
        "waiting",
        "created in",
        "deleted in",
        "updated in",
        "ready in",
        "FAILED",
        "retrying in",
    ];
    told.is_some_and(|told| of_progress.iter().any(|begin| told.starts_with(begin)))
}

/// An object's keys in their order, with what kind of value each has; of an array all that its elements may have.
fn shape(value: &Value) -> Value {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "true or false".into(),
        Value::Number(_) => "number".into(),
        Value::String(_) => "text".into(),
        Value::Array(elements) => elements.iter().map(shape).reduce(both).map_or_else(|| json!([]), |shape| json!([shape])),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), shape(value))).collect(),
    }
}

fn both(one: Value, other: Value) -> Value {
    match (one, other) {
        (Value::Object(mut one), Value::Object(other)) => {
            for (key, value) in other {
                let known = one.get(&key).cloned();
                one.insert(key, known.map_or(value.clone(), |known| both(known, value)));
            }
            Value::Object(one)
        }
        (Value::Array(one), Value::Array(other)) => {
            one.into_iter().chain(other).reduce(both).map_or_else(|| json!([]), |shape| json!([shape]))
        }
        (one, other) if one == other => one,
        (one, other) => {
            let words = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let mut all: Vec<String> = [&one, &other]
                .iter()
                .flat_map(|value| words(value).split(" | ").map(str::to_owned).collect::<Vec<_>>())
                .collect();
            all.sort_unstable();
            all.dedup();
            all.join(" | ").into()
        }
    }
}

fn keys(name: &str, told: &Value) {
    screen(name, &serde_json::to_string_pretty(&shape(told)).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_account_reads_so() {
    let local = LocalAws::start(600);
    let operator = Operator::of(&local);
    screen("plan of an empty account", &operator.says(&["plan"]));
    screen("status of an empty account", &operator.says(&["status"]));
    screen("down of an empty account", &closing(&operator.says(&["down", "--yes"])));
    screen("push-models before up", &operator.says(&["push-models"]));
    screen("unlock without a lease", &operator.says(&["unlock", "--yes"]));
    screen("up without a terminal and without yes", &closing(&operator.says(&["up"])));
    keys("plan as json", &operator.run(&["plan"]).told);
    keys("status as json", &operator.run(&["status"]).told);
    keys("down as json", &operator.run(&["down", "--yes"]).told);
    keys("unlock as json", &operator.run(&["unlock", "--yes"]).told);
    keys("an error as json", &operator.run(&["push-models"]).told);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_changed_doubled_or_left_reads_so() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let earlier = Config { storage: Storage { bucket: Some("earlier-models".to_owned()) }, ..Config::default() };
    up(&local.cloud(earlier).await).await;
    up(&cloud).await;
    break_node_group(&cloud).await;
    let tags = cloud.tags("vpc").specification(ResourceType::Vpc);
    cloud.aws.ec2.create_vpc().cidr_block("192.168.0.0/20").tag_specifications(tags).send().await.unwrap();
    let operator = Operator::of(&local);
    screen("plan of what is broken, changed, doubled or left", &operator.says(&["plan"]));
    screen("status of what is broken, changed, doubled or left", &operator.says(&["status"]));
    keys("plan of what is broken, changed, doubled or left, as json", &operator.run(&["plan"]).told);
    keys("status of what is broken, changed, doubled or left, as json", &operator.run(&["status"]).told);
    screen("down that keeps data, without a terminal", &closing(&operator.says(&["down", "--keep-data"])));
    down(&cloud).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_and_a_failure_read_so() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let operator = Operator::of(&local);
    let s3 = &cloud.aws.s3;
    s3.create_bucket().bucket(cloud.bucket()).send().await.unwrap();
    screen("up where a name is taken", &closing(&operator.says(&["up", "--yes"])));
    s3.delete_bucket().bucket(cloud.bucket()).send().await.unwrap();

    local.ask("POST", "fail?action=ec2:DescribeVpcs&times=1000&when=before&code=UnauthorizedOperation&status=403");
    screen("status where a look is denied", &operator.says(&["status"]));
    screen("plan where a look is denied", &operator.says(&["plan"]));
    local.ask("POST", "fail?action=ec2:CreateVpc&times=1000&when=before&code=VpcLimitExceeded&status=400");
    let failed = operator.run(&["up", "--yes"]);
    keys("up that fails, as json", &failed.told);
    screen("up that fails", &closing(&operator.says(&["up", "--yes"])));
    local.ask("POST", "fail?action=ec2:CreateVpc&times=0&when=before&code=x&status=400");

    write(&cloud, &cloud.bucket(), &json!({})).await;
    screen("up beside another run", &closing(&operator.says(&["up", "--yes"])));
    keys("up beside another run, as json", &operator.run(&["up", "--yes"]).told);
    screen("unlock of a live lease", &operator.says(&["unlock", "--yes"]));
    screen("down of what is there", &closing(&operator.says(&["down", "--yes"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_before_the_first_call_reads_so() {
    let local = LocalAws::start(600);
    let operator = Operator::of(&local);
    let config = "[workload]\nsource_ranges = [\"198.18.0.0/15\"]\n";
    let mut screens = BTreeMap::new();
    for (name, content) in [
        ("nobody may reach it", ""),
        ("an unknown key", "[workload]\nsource_rangs = []\n"),
        ("a range that is none", "[workload]\nsource_ranges = [\"10.0.0.1/8\"]\n"),
        ("no models", &format!("{config}[models]\ndirectory = \"none\"\n")),
        ("an unknown region", &format!("region = \"us-esat-1\"\n{config}")),
        ("an unknown instance type", &format!("{config}[nodes]\ninstance_type = \"g4dn.large\"\n")),
    ] {
        operator.write("tritondeploy.toml", content);
        screens.insert(name, operator.says(&["up", "--yes"]));
    }
    let all: String = screens.iter().map(|(name, text)| format!("## {name}\n{text}\n")).collect();
    screen("up that is refused before the first call", &all);
}
