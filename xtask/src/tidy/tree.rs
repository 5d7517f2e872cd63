//! Everything that the checks read, loaded once.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::rust_file::RustFile;
use crate::workspace::{self, MetadataPackage, PURE};

/// The workspace as the checks see it.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Every text file that git tracks or would track.
    pub(crate) files: Vec<File>,
    /// The Rust sources among them, parsed.
    pub(crate) rust: Vec<RustFile>,
    /// Our own packages.
    pub(crate) packages: Vec<Package>,
    /// What they stand on.
    pub(crate) externals: Vec<External>,
}

/// A text file, by its path from the root.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// One of our packages.
#[derive(Debug)]
pub(crate) struct Package {
    /// Its folder from the root: `crates/wire`, `xtask`.
    pub(crate) folder: String,
    /// Our packages among its normal dependencies, by the last part of their folder.
    pub(crate) arrows: Vec<String>,
    /// Every crate that a pure one links, itself and proc macros left out; empty for the others.
    pub(crate) links: Vec<String>,
}

/// A package of somebody else's.
#[derive(Debug)]
pub(crate) struct External {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) licence: Option<String>,
}

impl File {
    /// Whether the file's name ends with this extension.
    pub(crate) fn is_a(&self, extension: &str) -> bool {
        Path::new(&self.path)
            .extension()
            .is_some_and(|found| found == extension)
    }
}

impl Package {
    /// The crate's short name, which is the last part of its folder.
    pub(crate) fn short_name(&self) -> &str {
        self.folder.rsplit('/').next().unwrap_or(&self.folder)
    }

    pub(crate) fn is_pure(&self) -> bool {
        PURE.iter()
            .any(|pure| self.folder == format!("crates/{pure}"))
    }

    pub(crate) fn manifest(&self) -> String {
        format!("{}/Cargo.toml", self.folder)
    }
}

impl Tree {
    /// Reads the workspace that this program was built from.
    pub(crate) fn load() -> Result<Self> {
        let files = load_files()?;
        let mut rust = Vec::new();
        for file in files.iter().filter(|file| file.is_a("rs")) {
            rust.push(
                RustFile::parse(file).with_context(|| format!("cannot parse {}", file.path))?,
            );
        }
        let metadata = workspace::metadata()?;
        let (theirs, ours): (Vec<_>, Vec<_>) = metadata
            .packages
            .iter()
            .partition(|package| package.source.is_some());
        let packages = ours
            .iter()
            .map(|package| load_package(package, &ours))
            .collect::<Result<_>>()?;
        let externals = theirs.into_iter().map(External::from).collect();
        Ok(Self {
            files,
            rust,
            packages,
            externals,
        })
    }

    /// The text of the file at `path`, empty where there is none.
    pub(crate) fn text(&self, path: &str) -> &str {
        self.files
            .iter()
            .find(|file| file.path == path)
            .map_or("", |file| &file.text)
    }
}

impl From<&MetadataPackage> for External {
    fn from(package: &MetadataPackage) -> Self {
        Self {
            name: package.name.clone(),
            version: package.version.clone(),
            licence: package.license.clone(),
        }
    }
}

fn load_files() -> Result<Vec<File>> {
    let mut git = Command::new("git");
    git.current_dir(workspace::root());
    git.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let listing = workspace::output_of(&mut git)?;
    let mut files = Vec::new();
    for path in listing.split_terminator('\0') {
        // A tracked file may be gone from the work tree, and a capture is no text: neither has
        // lines to check.
        if let Ok(text) = fs::read_to_string(workspace::root().join(path)) {
            files.push(File {
                path: path.to_owned(),
                text,
            });
        }
    }
    Ok(files)
}

fn load_package(package: &MetadataPackage, ours: &[&MetadataPackage]) -> Result<Package> {
    let folder = folder_of(package)?;
    let mut arrows = Vec::new();
    for dependency in package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind.is_none())
    {
        if let Some(target) = ours.iter().find(|other| other.name == dependency.name) {
            let folder = folder_of(target)?;
            arrows.push(folder.rsplit('/').next().unwrap_or(&folder).to_owned());
        }
    }
    let mut loaded = Package {
        folder,
        arrows,
        links: Vec::new(),
    };
    if loaded.is_pure() {
        loaded.links = links_of(&package.name)?;
    }
    Ok(loaded)
}

fn folder_of(package: &MetadataPackage) -> Result<String> {
    let folder = package
        .manifest_path
        .parent()
        .unwrap_or(&package.manifest_path);
    let folder = folder
        .strip_prefix(workspace::root())
        .context("a package outside the workspace")?;
    Ok(folder.to_string_lossy().into_owned())
}

/// What `package` links when it is built alone: `cargo metadata` would unify features over the
/// whole workspace.
fn links_of(package: &str) -> Result<Vec<String>> {
    let mut tree = workspace::cargo();
    tree.args([
        "tree",
        "--package",
        package,
        "--edges",
        "normal,no-proc-macro",
    ]);
    tree.args(["--prefix", "none", "--format", "{p}"]);
    let listing = workspace::output_of(&mut tree)?;
    let names = listing
        .lines()
        .skip(1)
        .filter_map(|line| line.split(' ').next());
    Ok(names.map(str::to_owned).collect())
}

#[cfg(test)]
impl Tree {
    /// A tree of the given files and nothing else, for planting an offence.
    pub(crate) fn planted(files: &[(&str, &str)]) -> Self {
        let files: Vec<File> = files
            .iter()
            .map(|(path, text)| File {
                path: (*path).to_owned(),
                text: (*text).to_owned(),
            })
            .collect();
        let rust = files.iter().filter(|file| file.is_a("rs"));
        let rust = rust.map(|file| RustFile::parse(file).unwrap()).collect();
        Self {
            files,
            rust,
            ..Self::default()
        }
    }

    /// The same tree with one more package of ours.
    pub(crate) fn with_package(mut self, folder: &str, arrows: &[&str], links: &[&str]) -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let (arrows, links) = (owned(arrows), owned(links));
        self.packages.push(Package {
            folder: folder.to_owned(),
            arrows,
            links,
        });
        self
    }

    /// The same tree with one more package of somebody else's.
    pub(crate) fn with_external(mut self, name: &str, licence: Option<&str>) -> Self {
        let (name, version) = (name.to_owned(), "1.0.0".to_owned());
        self.externals.push(External {
            name,
            version,
            licence: licence.map(str::to_owned),
        });
        self
    }
}
