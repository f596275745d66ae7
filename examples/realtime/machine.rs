//! A description of the machine that runs the program, without names of hosts, people or folders.

use std::env::consts;
use std::fmt;
use std::fs;
use std::thread;

pub(crate) struct Machine {
    processor: String,
    processors: usize,
    kernel: String,
    /// The one-minute load average.
    load: Option<String>,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let load = fs::read_to_string("/proc/loadavg").ok();
        Machine {
            processor: model.map_or("unknown processor", |(_, name)| name).trim().to_owned(),
            processors: thread::available_parallelism().map_or(1, usize::from),
            // Only the version number, because the rest may name a hosting provider.
            kernel: release.trim().split(['-', '+']).next().unwrap_or_default().to_owned(),
            load: load.and_then(|load| Some(load.split_whitespace().next()?.to_owned())),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { processor, processors, kernel, load } = self;
        write!(f, "{processor}, {processors} processors, {} {kernel} ({})", consts::OS, consts::ARCH)?;
        load.as_ref().map_or(Ok(()), |load| write!(f, ", load {load}"))
    }
}
