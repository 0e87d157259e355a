//! From the file to a [`Config`] that makes sense, or to an error that names the place and the cure.

use std::path::Path;

use super::{Config, check, roots};
use crate::error::Error;

/// The file that is read where none is named.
const USUAL: &str = "tritondeploy.toml";

/// Reads `path`; the usual file may be missing, which is all defaults. Paths in it are taken from its folder.
///
/// # Errors
/// [`Error::Usage`] with line, cause and the nearest key.
pub fn load(path: &Path, name: Option<&str>, region: Option<&str>) -> Result<Config, Error> {
    let mut config = match std::fs::read_to_string(path) {
        Ok(text) => {
            parse(&text).map_err(|why| Error::usage(format!("{}: {why}", path.display()), "correct the configuration"))?
        }
        // Only a file that nobody named may be missing.
        Err(why) if why.kind() == std::io::ErrorKind::NotFound && path == Path::new(USUAL) => Config::default(),
        Err(why) => {
            return Err(Error::usage(
                format!("{} cannot be read: {why}", path.display()),
                "name another with --config, or write one with `tritondeploy init`",
            ));
        }
    };
    if let Some(name) = name {
        name.clone_into(&mut config.name);
    }
    if let Some(region) = region {
        config.region = Some(region.to_owned());
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    config.models.directory = folder.join(&config.models.directory);
    config.ca_bundle = config.ca_bundle.map(|bundle| folder.join(bundle));
    let mut problems = check::problems(&config);
    match config.ca_bundle.as_deref().map(|bundle| (bundle, roots::read(bundle))) {
        Some((_, Ok(roots))) => config.roots = Some(roots),
        Some((bundle, Err(why))) => {
            problems.push(format!("ca_bundle: {}: {why}; name a PEM file with certificates", bundle.display()))
        }
        None => {}
    }
    if problems.is_empty() {
        return Ok(config);
    }
    let lines = problems.join("\n  ");
    Err(Error::usage(format!("{}:\n  {lines}", path.display()), "correct the configuration"))
}

/// Every problem of a configuration that is not a file yet.
///
/// # Errors
/// The problems, a line each.
pub fn checked(text: &str) -> Result<(), String> {
    let problems = check::problems(&parse(text)?);
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n  ")) }
}

fn parse(text: &str) -> Result<Config, String> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        let key = error.span().and_then(|span| key(text, span.start)).map(|key| format!(", {key}")).unwrap_or_default();
        let place = line.map(|line| format!("line {line}{key}: ")).unwrap_or_default();
        format!("{place}{}", with_nearest(error.message()))
    })
}

/// The key whose value stands at a place of the text, with its table; none where a key itself stands there.
fn key(text: &str, at: usize) -> Option<String> {
    let (before, after) = text.split_at_checked(at)?;
    let begin = before.rfind('\n').map_or(0, |end| end + 1);
    let line = &text[begin..begin + text[begin..].find('\n').unwrap_or(text.len() - begin)];
    let (key, _) = line.split_once('=').filter(|(key, _)| begin + key.len() < at && !after.is_empty())?;
    let header = |line: &str| line.trim().strip_prefix('[').map(|name| name.trim_matches(['[', ']', ' ']).to_owned());
    let table = before.lines().rev().skip(1).find_map(header).map(|table| format!("{table}.")).unwrap_or_default();
    Some(format!("{table}{}", key.trim()))
}

/// serde names the unknown key or value and all that it knows; a person wants the one that was meant.
fn with_nearest(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let what = match () {
        () if message.starts_with("unknown field") => "key",
        () if message.starts_with("unknown variant") => "value",
        () => return message.to_owned(),
    };
    let Some(unknown) = quoted.next() else { return message.to_owned() };
    let known: Vec<&str> = quoted.collect();
    let nearest = known.iter().max_by(|a, b| strsim::jaro_winkler(unknown, a).total_cmp(&strsim::jaro_winkler(unknown, b)));
    match nearest {
        Some(nearest) if strsim::jaro_winkler(unknown, nearest) > 0.7 => {
            format!("there is no {what} `{unknown}`; did you mean `{nearest}`?")
        }
        _ => format!("there is no {what} `{unknown}`; there are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_the_reference_deployment() {
        let config = parse("").unwrap();
        assert_eq!(config.name, "triton-streaming-cluster");
        assert_eq!(config.network.cidr, "192.168.0.0/20");
        assert_eq!(config.nodes.instance_type, "g4dn.xlarge");
    }

    #[test]
    fn an_unknown_key_names_its_line_and_the_nearest() {
        let why = parse("name = \"a\"\n[nodes]\ninstnace_type = \"p3\"\n").unwrap_err();
        assert_eq!(why, "line 3: there is no key `instnace_type`; did you mean `instance_type`?");
    }

    #[test]
    fn a_wrong_type_names_its_line() {
        let why = parse("\n[nodes]\ndisk_gib = \"large\"\n").unwrap_err();
        assert!(why.starts_with("line 3, nodes.disk_gib: invalid type"), "{why}");
        let why = parse("[[pipeline]]\nalias = \"a\"\npreset = \"imagnet\"\n").unwrap_err();
        assert_eq!(why, "line 3, pipeline.preset: there is no value `imagnet`; did you mean `imagenet`?");
    }

    #[test]
    fn the_command_line_goes_before_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.toml");
        std::fs::write(&path, "name = \"a\"\nregion = \"eu-west-1\"\n").unwrap();
        let config = load(&path, Some("b"), Some("us-west-2")).unwrap();
        assert_eq!((config.name.as_str(), config.region.as_deref()), ("b", Some("us-west-2")));
        assert_eq!(config.models.directory, folder.path().join("models"));
    }

    #[test]
    fn a_ca_bundle_is_read_from_the_files_folder_or_named_in_the_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.toml");
        std::fs::write(&path, "ca_bundle = \"roots.pem\"\n").unwrap();
        let why = load(&path, None, None).unwrap_err().to_string();
        assert!(why.contains("ca_bundle: ") && why.contains("roots.pem"), "{why}");
        let pem = "-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n";
        std::fs::write(folder.path().join("roots.pem"), pem).unwrap();
        assert_eq!(load(&path, None, None).unwrap().roots.as_deref(), Some(pem));
    }

    #[test]
    fn the_repository_is_the_deployments_own() {
        let of = |text: &str| parse(text).unwrap().repository();
        assert_eq!(of(""), "websocket-pipeline");
        assert_eq!(of("name = \"triton-streaming-cluster\""), "websocket-pipeline");
        assert_eq!(of("name = \"staging\""), "staging-websocket-pipeline");
        assert_eq!(of("name = \"staging\"\n[registry]\nrepository = \"images\""), "images");
    }

    #[test]
    fn only_a_file_that_nobody_named_may_be_missing() {
        let why = load(Path::new("nowhere/t.toml"), None, None).unwrap_err();
        assert_eq!(why.exit_code(), 2);
        assert!(why.to_string().contains("nowhere/t.toml cannot be read"), "{why}");
    }

    #[test]
    fn a_text_is_checked_as_its_file_will_be() {
        assert_eq!(checked("name = \"a\""), Ok(()));
        assert!(checked("[workload]\nsource_ranges = [\"1.2.3.4/33\"]").unwrap_err().contains("no IPv4 CIDR"));
    }
}
