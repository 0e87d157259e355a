//! `init`: a first configuration, and the bundled models' configurations beside it.

use std::fs;
use std::path::Path;

use super::Session;
use crate::cli::Init;
use crate::error::Error;
use crate::report::{self, show};

/// What is bundled of the two reference models: all but the weights.
const BUNDLED: [(&str, &str); 6] = [
    ("densenet_onnx/config.pbtxt", include_str!("../../models/densenet_onnx/config.pbtxt")),
    ("densenet_onnx/labels.txt", include_str!("../../models/densenet_onnx/labels.txt")),
    ("densenet_onnx/weights.toml", include_str!("../../models/densenet_onnx/weights.toml")),
    ("resnet50_onnx/config.pbtxt", include_str!("../../models/resnet50_onnx/config.pbtxt")),
    ("resnet50_onnx/labels.txt", include_str!("../../models/resnet50_onnx/labels.txt")),
    ("resnet50_onnx/weights.toml", include_str!("../../models/resnet50_onnx/weights.toml")),
];

pub(super) async fn run(session: &Session, init: Init) -> Result<(), Error> {
    if session.config.exists() {
        return Err(Error::usage(
            format!("{} is there already", session.config.display()),
            "edit it, or name another with --config",
        ));
    }
    let who = who(session, init).await?;
    let name = session.name.as_deref().map_or_else(String::new, |name| format!("name = {name:?}\n"));
    let region = session.region.as_deref().map_or_else(
        || "# region = \"us-east-1\"        # else AWS_REGION, else the profile's\n".to_owned(),
        |region| format!("region = {region:?}\n"),
    );
    let text = format!(
        "# Every key has a default: the reference deployment. All keys: docs/config.md\n{name}{region}\n[workload]\n{who}\n\n[models]\ndirectory = \"models\"\n\n# Yours, on all that takes tags.\n# [tags]\n# CostCentre = \"4711\"\n"
    );
    // What is written must be what `up` reads.
    crate::config::checked(&text).map_err(|why| Error::usage(why, "nothing was written; correct it"))?;
    write(&session.config, &text)?;
    let models = session.config.parent().unwrap_or(Path::new("")).join("models");
    for (path, content) in BUNDLED {
        let path = models.join(path);
        if !path.exists() {
            write(&path, content)?;
        }
    }
    if session.json() {
        show::json(&serde_json::json!({"config": session.config, "models": models}));
        return Ok(());
    }
    show::line(format!("Written: {} and {}", session.config.display(), models.display()));
    show::line(format!("Next: put the weights where {}/*/weights.toml says, then {}", models.display(), session.again("up")));
    Ok(())
}

const PUBLIC: &str = "public_without_auth = true    # anybody may reach the WebSocket";

/// Who may reach the WebSocket: never left open by accident.
async fn who(session: &Session, init: Init) -> Result<String, Error> {
    if init.public_without_auth {
        return Ok(PUBLIC.to_owned());
    }
    let ranges = if init.source_ranges.is_empty() {
        let hint = "[CIDRs such as 203.0.113.7/32, or `public`]";
        let otherwise = "say who may reach the WebSocket: --source-ranges CIDR or --public-without-auth";
        let answer = report::ask("Who may reach the WebSocket?", hint, otherwise, &session.cancel).await?;
        let answer = answer.filter(|answer| !answer.is_empty());
        let answer = answer.ok_or_else(|| Error::usage("there was no answer", "run it again, or use --source-ranges"))?;
        if answer == "public" {
            return Ok(PUBLIC.to_owned());
        }
        answer.split([',', ' ']).filter(|range| !range.is_empty()).map(str::to_owned).collect()
    } else {
        init.source_ranges
    };
    let ranges: Vec<String> = ranges.iter().map(|range| format!("{range:?}")).collect();
    Ok(format!("source_ranges = [{}]", ranges.join(", ")))
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(path, text))
        .map_err(|why| Error::usage(format!("{} cannot be written: {why}", path.display()), "name another folder with --config"))
}
