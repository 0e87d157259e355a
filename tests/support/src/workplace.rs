//! A folder to run the program in: a link to it, a gateway's binary that nothing runs, a configuration, and a model.

use std::fs::{create_dir_all, hard_link, write};
use std::path::Path;

use tempfile::TempDir;

/// The program's name in the folder.
pub const PROGRAM: &str = "tritondeploy";

/// A folder within `beside`, which lies on the disk of `program`, so that a link will do; with one model of this name.
#[must_use]
pub fn workplace(program: &Path, beside: &Path, model: &str) -> TempDir {
    let folder = tempfile::tempdir_in(beside).expect("a folder");
    let at = |name: &str| folder.path().join(name);
    hard_link(program, at(PROGRAM)).expect("a link");
    // It is looked for beside ours: the header of an ELF file for x86-64.
    let header = [&b"\x7fELF\x02\x01"[..], &[0; 12], &62_u16.to_le_bytes()].concat();
    write(at("tritondeploy-gateway"), header).expect("a gateway");
    let config = format!(
        "[workload]\nsource_ranges = [\"198.18.0.0/15\"]\n[models]\ndirectory = \"models\"\n\
         [[pipeline]]\nalias = \"{model}\"\nmodel = \"{model}\"\n[proof]\nmodel = \"{model}\"\n"
    );
    write(at("tritondeploy.toml"), config).expect("a configuration");
    let models = at("models").join(model);
    create_dir_all(models.join("1")).expect("a repository");
    write(models.join("config.pbtxt"), "backend: \"python\"\n").expect("a model's configuration");
    write(models.join("1/model.py"), "").expect("a model");
    folder
}
