//! Model folders exchanged by renames, and exchanged back.

use std::fs;
use std::path::{Path, PathBuf};

use super::disk::{self, At};
use super::{Error, Plan};

/// Models that were put in place, with what they replaced still at hand.
#[derive(Debug)]
#[must_use = "a swap is either kept or undone"]
pub struct Swap {
    directory: PathBuf,
    former: PathBuf,
}

/// In the folder of what was replaced, the name of a model that replaced nothing.
const NEW: &str = ".new-";

impl Swap {
    /// Moves `plan.changed` in from where they were staged, and `plan.removed` out.
    pub(super) fn make(directory: &Path, digest: &str, plan: &Plan) -> Result<Self, Error> {
        let former = disk::former(directory, digest);
        disk::remove(&former)?;
        fs::create_dir_all(&former).at(&former)?;
        let swap = Self { directory: directory.to_owned(), former };
        if let Err(error) = swap.exchange(plan) {
            swap.undo()?;
            return Err(error);
        }
        Ok(swap)
    }

    /// What a process that is no more had begun.
    pub(super) fn found(directory: &Path, digest: &str) -> Result<Self, Error> {
        Ok(Self { directory: directory.to_owned(), former: disk::former(directory, digest) })
    }

    fn exchange(&self, plan: &Plan) -> Result<(), Error> {
        for name in &plan.removed {
            self.set_aside(name)?;
        }
        for name in plan.changed.keys() {
            let place = self.directory.join(name);
            if place.exists() {
                self.set_aside(name)?;
            } else {
                let mark = self.former.join(format!("{NEW}{name}"));
                fs::create_dir(&mark).at(&mark)?;
            }
            fs::rename(disk::next(&self.directory).join(name), &place).at(&place)?;
        }
        Ok(())
    }

    fn set_aside(&self, name: &str) -> Result<(), Error> {
        let place = self.directory.join(name);
        fs::rename(&place, self.former.join(name)).at(&place)
    }

    /// Puts everything back; Triton will see it as a change. Returns the models that are new no more.
    ///
    /// # Errors
    /// When the disk refuses; it can be tried again.
    pub fn undo(self) -> Result<Vec<String>, Error> {
        let mut gone = Vec::new();
        for name in disk::folders(&self.former)? {
            if let Some(new) = name.strip_prefix(NEW) {
                disk::remove(&self.directory.join(new))?;
                gone.push(new.to_owned());
                continue;
            }
            let (kept, place) = (self.former.join(&name), self.directory.join(&name));
            disk::remove(&place)?;
            fs::rename(&kept, &place).at(&place)?;
            disk::touch(&place)?;
        }
        self.discard()?;
        Ok(gone)
    }

    /// Gives up what was replaced.
    pub(super) fn discard(self) -> Result<(), Error> {
        disk::remove(&self.former)?;
        disk::remove(&disk::next(&self.directory))
    }
}
