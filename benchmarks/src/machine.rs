//! A description of the machine that runs the benchmarks, without names of hosts, people or
//! folders.

use std::{env::consts, fs, num::NonZeroUsize, thread};

use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    pub processor: String,
    /// The number of processors that this program may use.
    pub processors: usize,
    /// The level, the kind and the size of each cache of the first processor.
    pub caches: Vec<String>,
    pub memory_gib: Option<u64>,
    pub target: String,
    pub kernel: String,
    pub huge_pages: String,
    pub compiler: String,
    /// The one-minute load average when the run began, which is mostly the load of other programs.
    pub load: Option<f64>,
}

/// Returns the rest of the first line that starts with `key`, without the colon.
fn field(path: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(rest.trim_start_matches([' ', '\t', ':']).trim().to_owned())
}

fn line(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

impl Machine {
    pub fn here() -> Self {
        let unknown = || "unknown".to_owned();
        let caches = (0..8)
            .map_while(|number| {
                let of = |what: &str| line(&format!("/sys/devices/system/cpu/cpu0/cache/index{number}/{what}"));
                Some(format!("L{} {}: {}", of("level")?, of("type")?, of("size")?))
            })
            .collect();
        let memory_gib = field("/proc/meminfo", "MemTotal")
            .and_then(|total| total.split_whitespace().next()?.parse::<u64>().ok())
            .map(|kilobytes| kilobytes.div_ceil(1 << 20));
        let release = line("/proc/sys/kernel/osrelease").unwrap_or_else(unknown);
        Self {
            processor: field("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            processors: thread::available_parallelism().map_or(1, NonZeroUsize::get),
            caches,
            memory_gib,
            target: format!("{} {}", consts::ARCH, consts::OS),
            // Only the version number, because the rest may name a hosting provider.
            kernel: release.split(['-', '+']).next().unwrap_or_default().to_owned(),
            huge_pages: line("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_else(unknown),
            compiler: env!("COMPILED_BY").to_owned(),
            load: line("/proc/loadavg").and_then(|load| load.split_whitespace().next()?.parse().ok()),
        }
    }

    /// Returns the lines of the report that describe the machine.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("{}, {} processors", self.processor, self.processors),
            format!("{}, kernel {}", self.target, self.kernel),
        ];
        if !self.caches.is_empty() {
            lines.push(format!("caches: {}", self.caches.join(", ")));
        }
        if let Some(memory) = self.memory_gib {
            lines.push(format!("{memory} GiB of memory, huge pages: {}", self.huge_pages));
        }
        lines.push(self.compiler.clone());
        if let Some(load) = self.load {
            lines.push(format!("load when the run began: {load}"));
        }
        lines
    }
}
