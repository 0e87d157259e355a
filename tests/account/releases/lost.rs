use super::{Place, released, weights};
use tritondeploy::config::Config;
use tritondeploy_support::lossy::{Line, Lost};

#[tokio::test(flavor = "multi_thread")]
async fn what_s3_does_not_answer_or_answers_with_a_conflict_is_looked_at_and_asked_for_again() {
    let place = Place::new().await;
    place.release(&place.models(&[("m", "0", "c")])).await.unwrap();
    for (version, lost) in [(2, Lost::Answer), (3, Lost::Call), (4, Lost::Conflict)] {
        let content = version.to_string();
        let weight = format!("PUT models/m/{version}/model.onnx");
        let line = Line::losing(&place.local.host, &[("PUT release/manifest.json", lost), (&weight, lost)]).await;
        let cloud = place.local.cloud_at(&line.host, Config::default()).await;
        let report = released(&cloud, &place.models(&[("m", &content, "c")])).await.unwrap();
        assert!(report.published && report.superseded.is_none(), "{lost:?}: {report:?}");
        assert_eq!(place.published().await, weights("m", &content), "{lost:?}");
        assert_eq!(place.beside().await, [].into(), "{lost:?}");
    }
}
