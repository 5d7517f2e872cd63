//! `docs/benchmarks.md`: one section an area, each written from a run and never by hand.

use std::fs;
use std::process::Command;

use anyhow::Result;

use super::area::Area;
use super::row::Row;
use super::table;
use crate::workspace;

/// The page, from the workspace's root.
pub(crate) const PATH: &str = "docs/benchmarks.md";

/// When, where and how a section was measured.
#[derive(Debug)]
pub(crate) struct Run {
    date: String,
    command: String,
    commit: String,
    machine: String,
}

impl Run {
    /// This machine, this commit, and the date that the caller gives.
    pub(crate) fn here(date: &str, quick: bool) -> Result<Self> {
        let mut git = Command::new("git");
        git.current_dir(workspace::root())
            .args(["describe", "--always", "--dirty"]);
        let mut rustc = Command::new("rustc");
        rustc.arg("--version");
        let machine = [
            field("/proc/cpuinfo", "model name"),
            format!("{} cores", std::thread::available_parallelism()?),
            format!("{} of memory", field("/proc/meminfo", "MemTotal")),
            format!("Linux {}", read("/proc/sys/kernel/osrelease")),
            workspace::output_of(&mut rustc)?.trim().to_owned(),
        ];
        Ok(Self {
            date: date.to_owned(),
            command: if quick { "--quick --write" } else { "--write" }.to_owned(),
            commit: workspace::output_of(&mut git)?.trim().to_owned(),
            machine: machine.join(", "),
        })
    }
}

/// The section of one area.
pub(crate) fn section(area: &Area, run: &Run, rows: &[Row]) -> String {
    let Run {
        date,
        command,
        commit,
        machine,
    } = run;
    format!(
        "## {name}\n\n{about}.\n\n- Date: {date}, commit {commit}\n- Machine: {machine}\n\
         - Command: `cargo xtask figures {name} {command} {date}`\n\n{table}",
        name = area.name,
        about = area.about,
        table = table::markdown(rows),
    )
}

/// The page with the area's section replaced, or added at its end.
pub(crate) fn replace(page: &str, area: &str, section: &str) -> String {
    let heading = format!("## {area}\n");
    let (before, after) = match page.find(&heading).map(|at| page.split_at(at)) {
        Some((before, old)) => {
            let end = old
                .match_indices("\n## ")
                .next()
                .map_or(old.len(), |(at, _)| at + 1);
            (before, old.split_at(end).1)
        }
        None => (page, ""),
    };
    let parts = [before, section, after].map(str::trim_end);
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n\n") + "\n"
}

fn read(path: &str) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// The value of the first `name: value` line of a file.
fn field(path: &str, name: &str) -> String {
    let text = read(path);
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.split_once(':'));
    value.map_or_else(
        || "unknown".to_owned(),
        |(_, value)| value.trim().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::area;

    #[test]
    fn a_section_takes_the_place_of_its_older_self() {
        let page = "# Figures\n\nIntro.\n\n## engine\n\nold\n\n## other\n\nkept\n";
        let page = replace(page, "engine", "## engine\n\nnew\n");
        assert_eq!(
            page,
            "# Figures\n\nIntro.\n\n## engine\n\nnew\n\n## other\n\nkept\n"
        );
        let page = replace("# Figures\n", "engine", "## engine\n\nnew\n");
        assert_eq!(page, "# Figures\n\n## engine\n\nnew\n");
        assert_eq!(replace(&page, "engine", "## engine\n\nnew\n"), page);
    }

    #[test]
    fn a_section_says_when_where_and_how() {
        let run = Run::here("2026-11-21", false).unwrap();
        let text = section(area::named("engine").unwrap(), &run, &[]);
        for part in [
            "## engine\n",
            "2026-11-21",
            "rustc 1",
            "cores",
            "figures engine --write",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(!text.contains("unknown"), "{text}");
    }
}
