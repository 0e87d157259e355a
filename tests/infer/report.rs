//! `--report`: the page of a run.

use serde_json::Value;

use crate::user::User;
use tritondeploy_support::world::BUCKET;

const LITE: &str = "efficientnet_lite0";

pub(crate) fn a_run_leaves_a_page(user: &User) {
    let none = user.infer(&["photos", "--report", "nowhere/page.html", "--json"]);
    assert_eq!(none.code, Some(2), "{none:?}");
    assert!(none.err.contains("there is no folder nowhere") || none.out.contains("there is no folder nowhere"), "{none:?}");
    assert!(user.results("").is_empty(), "nothing was asked for");

    let prefix = format!("s3://{BUCKET}/images/");
    let ran = user.infer(&[&prefix, "photos", "--model", LITE, "--report", "page.html", "--json"]);
    assert_eq!((ran.code, &ran.json()["report"]), (Some(1), &"page.html".into()), "{ran:?}");
    let page = std::fs::read_to_string(user.path("page.html")).unwrap();
    let (_, data) = page.split_once(r#"id="data">"#).unwrap();
    let data: Value = serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap();
    let about = &data["about"];
    assert_eq!((&about["images"], &about["answered"], &about["failed"]), (&5.into(), &4.into(), &1.into()), "{about}");
    assert_eq!(about["models"][0]["answers"], 4);
    let rows = data["rows"].as_array().unwrap();
    let named = |end: &str| rows.iter().position(|row| row["n"].as_str().unwrap().ends_with(end)).unwrap();
    let (cat, note) = (named("images/a.png"), named("note.jpg"));
    let best = rows[cat]["r"][0][0][0].as_u64().unwrap() as usize;
    assert!(data["labels"][best].as_str().unwrap().contains("cat"), "{}", data["labels"]);
    assert_eq!(rows[cat]["r"][0].as_array().unwrap().len(), 5);
    assert!(rows[note]["e"].is_string());
    let thumbnails = data["thumbnails"].as_object().unwrap();
    assert_eq!(thumbnails.len(), 4);
    assert!(thumbnails.values().all(|jpeg| jpeg.as_str().unwrap().starts_with("/9j/")), "JPEGs");
    assert!(about["again"].as_str().unwrap().starts_with("--resume=./inference_results/"), "{}", about["again"]);
}
