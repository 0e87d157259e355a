use tritondeploy::config::Config;
use tritondeploy_support::faults::{Effect, Fault};
use tritondeploy_support::local_aws::LocalAws;

use crate::{down, everything, up};

/// The role of the nodes is another one then, whose name is the same.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_join_the_cluster_that_a_down_without_success_has_left() {
    let local = LocalAws::pretending(600);
    let cloud = local.cloud(Config::default()).await;
    let before = local.dump();
    up(&cloud).await;
    local.fault(&Fault::of(Effect::Error { code: "AccessDeniedException", status: 403 }).on("eks:DeleteCluster"));
    let outcome = everything(&cloud).await.down().await;
    assert!(outcome.exists.iter().any(|node| &**node == "cluster"), "{:?}", outcome.exists);
    assert!(!outcome.exists.iter().any(|node| &**node == "role/node"), "{:?}", outcome.exists);
    local.end_faults();

    up(&cloud).await;
    local.reset_calls();
    assert_eq!((up(&cloud).await.changed, local.mutating()), (0, 0));
    down(&cloud).await;
    assert_eq!(local.dump(), before);
}
