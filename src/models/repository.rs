//! The local model repository: what is in it, and whether Triton would take it.
//! Layout: <https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/model_repository.html>.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tritondeploy_wire::manifest::hex;

use super::check::{check_weights, read_config, wants_gpu};

/// All models that are to be served, validated.
#[derive(Clone, Debug, Default)]
pub struct Repository {
    /// By name.
    pub models: BTreeMap<String, Local>,
}

/// A local repository, or every problem of it.
pub type Checked = Result<Repository, Vec<Problem>>;

/// One model on this machine.
#[derive(Clone, Debug)]
pub struct Local {
    /// The model's name.
    pub name: String,
    /// `config.pbtxt`, labels and whatever else lies beside the versions; by path below the model.
    pub beside: BTreeMap<String, LocalFile>,
    /// The files of the newest version; by path below the version's folder.
    pub weights: BTreeMap<String, LocalFile>,
    /// The newest local version's number.
    pub version: u64,
    /// Why it cannot be served without an NVIDIA GPU, if so.
    pub wants_gpu: Option<Problem>,
}

/// One file on this machine.
#[derive(Clone, Debug)]
pub struct LocalFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// Lower-case hex.
    pub sha256: String,
}

/// Something that Triton, or a client, would stumble over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which file or folder.
    pub at: PathBuf,
    /// What is wrong with it, and what to do.
    pub why: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.at.display(), self.why)
    }
}

impl Repository {
    /// Reads and validates the models of `directory`; all of them where `serve` is empty.
    ///
    /// # Errors
    /// Every problem found, not only the first.
    pub fn open(directory: &Path, serve: &[String]) -> Checked {
        let names = if serve.is_empty() { model_folders(directory)? } else { serve.to_vec() };
        let mut repository = Self::default();
        let mut problems = Vec::new();
        if names.is_empty() {
            problems.push(problem(directory, "no model is in it: a model is a folder with a config.pbtxt"));
        }
        for name in names {
            match Local::open(&directory.join(&name), &name) {
                Ok(model) => {
                    repository.models.insert(name, model);
                }
                Err(mut more) => problems.append(&mut more),
            }
        }
        if problems.is_empty() { Ok(repository) } else { Err(problems) }
    }
}

impl Repository {
    /// The models that no node without a GPU can serve, each with the reason.
    pub fn wanting_a_gpu(&self) -> impl Iterator<Item = &Problem> {
        self.models.values().filter_map(|model| model.wants_gpu.as_ref())
    }

    /// The repository, when the models that will be asked for are in it.
    ///
    /// # Errors
    /// Those that are not.
    pub fn has<'a>(self, asked: impl IntoIterator<Item = &'a str>) -> Result<Self, Vec<Problem>> {
        let why = "the pipeline or the proof asks for this model, and it is not served; there must be a folder for it";
        let missing = asked.into_iter().filter(|name| !self.models.contains_key(*name));
        let missing: Vec<Problem> = missing.map(|name| problem(Path::new(name), why)).collect();
        if missing.is_empty() { Ok(self) } else { Err(missing) }
    }
}

impl Local {
    /// SHA-256 over names and contents, version numbers aside: two repositories with the same digest serve the same.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (part, files) in [("beside", &self.beside), ("weights", &self.weights)] {
            for (path, file) in files {
                hash.update(format!("{part}\0{path}\0{}\n", file.sha256));
            }
        }
        hex(&hash.finalize())
    }

    fn open(folder: &Path, name: &str) -> Result<Self, Vec<Problem>> {
        if !folder.is_dir() {
            return Err(vec![problem(folder, "there is no such model folder")]);
        }
        let mut problems = Vec::new();
        let (mut beside, mut versions) = (BTreeMap::new(), Vec::new());
        for entry in list(folder).map_err(|p| vec![p])? {
            let (path, file_name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if file_name.starts_with('.') || file_name == "weights.toml" || file_name.ends_with(".md") {
                continue;
            }
            if path.is_file() {
                collect(&path, file_name, &mut beside, &mut problems);
            } else if file_name == "configs" {
                collect_all(&path, "configs/", &mut beside, &mut problems);
            } else if let Ok(version) = file_name.parse::<u64>() {
                if version == 0 || version.to_string() != file_name {
                    problems.push(problem(&path, "a version folder is named by a number from 1 on, without zeros before it"));
                } else {
                    versions.push((version, path));
                }
            } else {
                // Triton reads version folders with stoll: `1.bak` would count as 1.
                problems.push(problem(
                    &path,
                    "this folder is no version (a number from 1 on): Triton may take it for one; move it away",
                ));
            }
        }
        let config = match beside.get("config.pbtxt") {
            None => {
                problems.push(problem(&folder.join("config.pbtxt"), "the model has no configuration"));
                None
            }
            Some(file) => match read_config(&file.path, name) {
                Ok(config) => Some(config),
                Err(mut more) => {
                    problems.append(&mut more);
                    None
                }
            },
        };
        let mut weights = BTreeMap::new();
        versions.sort();
        let version = versions.last().map_or(0, |(version, _)| *version);
        match versions.last() {
            Some((_, path)) => collect_all(path, "", &mut weights, &mut problems),
            None => problems.push(problem(&folder.join("1"), &no_weights(folder))),
        }
        if let (Some(config), Some((_, path))) = (&config, versions.last()) {
            problems.extend(check_weights(config, path, &weights, folder));
        }
        let wants_gpu = config.as_ref().and_then(|config| wants_gpu(config, &weights, folder));
        if problems.is_empty() { Ok(Self { name: name.to_owned(), beside, weights, version, wants_gpu }) } else { Err(problems) }
    }
}

pub(super) fn problem(at: &Path, why: &str) -> Problem {
    Problem { at: at.to_owned(), why: why.to_owned() }
}

fn list(folder: &Path) -> Result<Vec<fs::DirEntry>, Problem> {
    let mut entries = fs::read_dir(folder)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|why| problem(folder, &format!("it cannot be read: {why}")))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    Ok(entries)
}

fn model_folders(directory: &Path) -> Result<Vec<String>, Vec<Problem>> {
    let entries = list(directory).map_err(|p| vec![p])?;
    Ok(entries
        .into_iter()
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.'))
        .collect())
}

/// Where the weights come from, when the model's `weights.toml` says so.
pub(super) fn no_weights(folder: &Path) -> String {
    let source = fs::read_to_string(folder.join("weights.toml"))
        .ok()
        .and_then(|text| text.parse::<toml::Table>().ok())
        .unwrap_or_default();
    let text = |key| source.get(key).and_then(toml::Value::as_str);
    let urls: Vec<&str> = source
        .get("url")
        .and_then(toml::Value::as_array)
        .map(|urls| urls.iter().filter_map(toml::Value::as_str).collect())
        .unwrap_or_default();
    let place = folder.join(text("path").unwrap_or("1/model.onnx"));
    match (urls.as_slice(), text("sha256")) {
        ([_, ..], Some(sha256)) => {
            format!("the weights are missing: fetch {} (sha256 {sha256}) and put it at {}", urls.join(" or "), place.display())
        }
        _ => format!("the weights are missing: put the model at {}", place.display()),
    }
}

fn collect(path: &Path, name: String, into: &mut BTreeMap<String, LocalFile>, problems: &mut Vec<Problem>) {
    match hash_file(path) {
        Ok((size, sha256)) => {
            into.insert(name, LocalFile { path: path.to_owned(), size, sha256 });
        }
        Err(why) => problems.push(problem(path, &format!("it cannot be read: {why}"))),
    }
}

fn collect_all(folder: &Path, prefix: &str, into: &mut BTreeMap<String, LocalFile>, problems: &mut Vec<Problem>) {
    match list(folder) {
        Err(why) => problems.push(why),
        Ok(entries) => {
            for entry in entries {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.starts_with('.') {
                    continue;
                }
                if entry.path().is_dir() {
                    collect_all(&entry.path(), &format!("{prefix}{name}/"), into, problems);
                } else {
                    collect(&entry.path(), format!("{prefix}{name}"), into, problems);
                }
            }
        }
    }
}

fn hash_file(path: &Path) -> std::io::Result<(u64, String)> {
    let (mut file, mut hash, mut size) = (fs::File::open(path)?, Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((size, hex(&hash.finalize())));
        }
        hash.update(&buffer[..read]);
        size += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::super::onnx;
    use super::*;

    fn write(folder: &Path, config: &str, dims: &[i64]) {
        fs::create_dir_all(folder.join("1")).unwrap();
        fs::write(folder.join("config.pbtxt"), config).unwrap();
        fs::write(folder.join("1/model.onnx"), onnx::sample(dims)).unwrap();
    }

    const GOOD: &str = "platform: \"onnxruntime_onnx\" max_batch_size: 8
        input [{ name: \"data\" data_type: TYPE_FP32 dims: [3, 224, 224] }]
        output [{ name: \"scores\" data_type: TYPE_FP32 dims: [1000] }]";

    fn problems_of(config: &str, dims: &[i64]) -> String {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("m"), config, dims);
        match Repository::open(folder.path(), &[]) {
            Ok(_) => String::new(),
            Err(problems) => problems.iter().map(|p| format!("{}\n", p.why)).collect(),
        }
    }

    #[test]
    fn a_good_repository_is_taken() {
        assert_eq!(problems_of(GOOD, &[-1, 3, 224, 224]), "");
    }

    #[test]
    fn what_triton_would_refuse_is_refused_before() {
        for (config, dims, why) in [
            (GOOD, &[1, 3, 224, 224][..], "first dimension is fixed"),
            (GOOD, &[-1, 3, 200, 200], "the model's are [-1, 3, 200, 200]"),
            (&GOOD.replace("[3, 224, 224]", "[3, -1, 224]"), &[-1, 3, 224, 224], "[-1, 3, -1, 224] (batch dimension included)"),
            (&GOOD.replace("dims: [1000]", "dims: [-1]"), &[-1, 3, 224, 224], "output \"scores\": its dims are [-1, -1]"),
            (
                &GOOD.replace("output [", "input [{ name: \"more\" data_type: TYPE_FP32 dims: [1] }] output ["),
                &[-1, 3, 224, 224],
                "it has 2 inputs, the model has 1",
            ),
            (&GOOD.replace("\"data\"", "\"image\""), &[-1, 3, 224, 224], "\"image\" is not in the model, which has data"),
            (&GOOD.replace("TYPE_FP32 dims: [3", "TYPE_INT8 dims: [3"), &[-1, 3, 224, 224], "it says TYPE_INT8"),
            (&format!("{GOOD} name: \"other\""), &[-1, 3, 224, 224], "names the model \"other\""),
            (&format!("{GOOD} instance_group [{{ kind: KIND_GPU }}]"), &[-1, 3, 224, 224], "instance_group"),
            (&GOOD.replace("platform: \"onnxruntime_onnx\"", ""), &[-1, 3, 224, 224], "neither a platform nor a backend"),
            ("input [", &[-1, 3, 224, 224], "line 1"),
        ] {
            let found = problems_of(config, dims);
            assert!(found.contains(why), "wanted {why:?} in {found:?}");
        }
    }

    #[test]
    fn a_model_that_only_a_gpu_can_serve_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let plan = GOOD.replace("onnxruntime_onnx", "tensorrt_plan");
        let backend = GOOD.replace("platform: \"onnxruntime_onnx\"", "backend: \"tensorrt\"");
        write(&folder.path().join("onnx"), GOOD, &[-1, 3, 224, 224]);
        write(&folder.path().join("plan"), &plan, &[-1, 3, 224, 224]);
        write(&folder.path().join("trt"), &backend, &[-1, 3, 224, 224]);
        let repository = Repository::open(folder.path(), &[]).unwrap();
        let hungry: Vec<&Path> = repository.wanting_a_gpu().map(|problem| problem.at.as_path()).collect();
        assert_eq!(hungry, [folder.path().join("plan/config.pbtxt"), folder.path().join("trt/config.pbtxt")]);
    }

    #[test]
    fn a_model_that_will_be_asked_for_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("m"), GOOD, &[-1, 3, 224, 224]);
        let repository = || Repository::open(folder.path(), &[]).unwrap();
        assert!(repository().has(["m"]).is_ok());
        assert_eq!(repository().has(["m", "other"]).unwrap_err()[0].at, Path::new("other"));
    }

    #[test]
    fn missing_weights_name_their_source() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("m");
        fs::create_dir_all(&model).unwrap();
        fs::write(model.join("config.pbtxt"), GOOD).unwrap();
        fs::write(model.join("weights.toml"), "url = [\"https://example.org/m.onnx\"]\nsha256 = \"ab\"").unwrap();
        let problems = Repository::open(folder.path(), &[]).unwrap_err();
        assert!(problems[0].why.contains("fetch https://example.org/m.onnx (sha256 ab)"), "{problems:?}");
    }

    #[test]
    fn a_folder_that_triton_would_take_for_a_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("m");
        write(&model, GOOD, &[-1, 3, 224, 224]);
        fs::create_dir(model.join("1.bak")).unwrap();
        fs::create_dir(model.join("02")).unwrap();
        assert_eq!(Repository::open(folder.path(), &[]).unwrap_err().len(), 2);
    }

    #[test]
    fn the_digest_follows_the_content_and_not_the_version_number() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("m");
        write(&model, GOOD, &[-1, 3, 224, 224]);
        let digest = |at: &Path| Repository::open(at, &[]).unwrap().models["m"].digest();
        let first = digest(folder.path());
        fs::rename(model.join("1"), model.join("7")).unwrap();
        assert_eq!(digest(folder.path()), first);
        fs::write(model.join("7/model.onnx"), onnx::sample(&[-1, 3, -1, 224])).unwrap();
        assert_ne!(digest(folder.path()), first);
    }
}
