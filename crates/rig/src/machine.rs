//! Guests in QEMU, under software emulation: Debian's cloud kernel with a root file system in memory.
//!
//! The machine is a q35. QEMU's small one, microvm, says where its devices are by ACPI or on the command line: with ACPI
//! this kernel finds no clock to calibrate by, and on the command line it does not look.

use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rackweave_types::MacAddr;
use tempfile::TempDir;

use crate::clock::wait_until;
use crate::packages::kernel;
use crate::process::{Daemon, Output, tail};

mod archive;
mod cloud;
mod image;

pub use cloud::CloudGuest;

/// How long a guest may take from power on to its first command; it takes 2 to 4 s on a machine with nothing else to do.
const BOOT: Duration = Duration::from_secs(90);
/// How long a command in a guest may take.
const COMMAND: Duration = Duration::from_mins(2);

/// The machine's number, as one of EC2 says it.
const SYSTEM: &str = "ec2a7b6c-0000-4000-8000-000000000001";

/// The guest's NIC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    /// None.
    Nothing,
    /// Behind a vhost-user socket, to which QEMU connects, again and again.
    VhostUser {
        /// The socket.
        socket: PathBuf,
        /// The Ethernet address.
        mac: MacAddr,
    },
}

/// A guest that runs. It is ended when it is dropped.
#[derive(Debug)]
pub struct Machine {
    daemon: Daemon,
    console: ChildStdin,
    commands: u32,
    _folder: TempDir,
}

impl Machine {
    /// Starts a guest of busybox alone and waits until it takes commands.
    ///
    /// # Errors
    /// What the guest or QEMU said.
    pub fn boot(name: &str, device: &Device) -> Result<Self> {
        let mut machine = Self::start(name, device, &image::busybox()?, 384)?;
        machine.wait_for_boot()?;
        Ok(machine)
    }

    /// Starts a guest with an initial RAM disk, which must end in the loop that [`run`](Self::run) talks to.
    fn start(name: &str, device: &Device, disk: &Path, megabytes: u32) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("rwmachine").tempdir()?;
        let kernel = kernel()?.image;
        let mut words: Vec<String> = Vec::new();
        let mut add = |text: &str| words.extend(text.split(' ').map(Into::into));
        add("qemu-system-x86_64 -nodefaults -no-user-config -no-reboot -display none");
        add("-accel tcg -serial stdio -M q35,memory-backend=ram");
        add(&format!(
            "-m {megabytes}M -object memory-backend-memfd,id=ram,size={megabytes}M,share=on"
        ));
        add(&format!(
            "-kernel {} -initrd {}",
            kernel.display(),
            disk.display()
        ));
        // By this cloud-init knows a cloud with a metadata service that asks for tokens.
        add(&format!("-smbios type=1,uuid={SYSTEM},serial={SYSTEM}"));
        if let Device::VhostUser { socket, mac } = device {
            // With interrupt vectors QEMU 7.2 crashes in its MSI-X path when it emulates the processor.
            let card = "virtio-net-pci,romfile=,vectors=0";
            add(&format!(
                "-chardev socket,id=wire,path={},reconnect=1",
                socket.display()
            ));
            add("-netdev vhost-user,id=net,chardev=wire");
            add(&format!("-device {card},netdev=net,mac={mac}"));
        }
        // Where this machine is busy, the guest's timer is late, which the kernel's check would take for broken.
        words.push("-append".into());
        words.push("console=ttyS0 quiet loglevel=1 panic=-1 net.ifnames=0 no_timer_check".into());
        let log = folder.path().join("console");
        let mut daemon = Daemon::start(name, &words, &[], &log, Stdio::piped())?;
        let console = daemon.stdin().context("QEMU has no standard input")?;
        Ok(Self {
            daemon,
            console,
            commands: 0,
            _folder: folder,
        })
    }

    fn wait_for_boot(&mut self) -> Result<()> {
        self.wait_for("rig-is-up", BOOT)
    }

    /// Waits until the guest has written a text to its console.
    fn wait_for(&mut self, text: &str, within: Duration) -> Result<()> {
        let daemon = &mut self.daemon;
        let waited = wait_until(within, &format!("the guest says {text}"), || {
            let said = daemon.log().contains(text);
            Ok(said || !daemon.is_running()?)
        });
        let log = self.daemon.log();
        let said = log.contains(text).then_some(()).context("the guest ended");
        waited.and(said).with_context(|| tail(&log))
    }

    /// Runs a line of shell in the guest. Standard output and error come together.
    ///
    /// # Errors
    /// Where the guest does not answer in two minutes.
    pub fn run(&mut self, line: &str) -> Result<Output> {
        self.commands += 1;
        let number = self.commands;
        let (begin, end) = (format!("<<{number} "), format!("<<end {number} "));
        let marked = format!("echo; echo '{begin}'; {{ {line} ; }} 2>&1; echo \"{end}$?>>\"\n");
        self.console
            .write_all(marked.as_bytes())
            .context("the guest's console")?;
        self.wait_for(&end, COMMAND)
            .with_context(|| line.to_owned())?;
        let complete = || Ok(answer(&self.daemon.log(), &begin, &end).is_some());
        wait_until(COMMAND, "the whole answer", complete)?;
        let (text, code) = answer(&self.daemon.log(), &begin, &end).context("no answer")?;
        Ok(Output {
            success: code == 0,
            code: Some(code),
            stdout: text,
            stderr: String::new(),
        })
    }

    /// Runs a line of shell in the guest that must succeed, and gives what it said.
    ///
    /// # Errors
    /// Where it does not.
    pub fn must(&mut self, line: &str) -> Result<String> {
        let output = self.run(line)?;
        output.ok().with_context(|| format!("{line}, in the guest"))
    }

    /// Gets an address by DHCP.
    ///
    /// # Errors
    /// What the client said.
    pub fn dhcp(&mut self) -> Result<String> {
        self.must(
            "ip link set eth0 up && udhcpc -i eth0 -n -q -f -t 10 -T 1 -s /hook -O staticroutes",
        )
    }

    /// Waits until an address answers an echo request.
    ///
    /// # Errors
    /// Where none does.
    pub fn wait_for_ping(&mut self, addr: IpAddr) -> Result<()> {
        self.must(&format!(
            "for i in $(seq 20); do ping -c1 -W1 {addr} && break; done"
        ))?;
        Ok(())
    }

    /// Starts a line of shell in the guest and does not wait.
    ///
    /// # Errors
    /// Where the guest does not answer.
    pub fn spawn(&mut self, line: &str) -> Result<()> {
        self.must(&format!("( {line} ) >/dev/null 2>&1 </dev/null & true"))?;
        Ok(())
    }

    /// All that the guest wrote to its console.
    pub fn console(&self) -> String {
        self.daemon.log()
    }
}

/// What a command said and its exit code, from all that the console holds.
fn answer(log: &str, begin: &str, end: &str) -> Option<(String, i32)> {
    let log = log.replace('\r', "");
    let (_, after) = log.split_once(begin)?;
    let (text, after) = after.split_once(end)?;
    let (code, _) = after.split_once(">>")?;
    Some((text.trim_start_matches('\n').to_owned(), code.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_what_stands_between_its_marks() {
        let log = "boot\r\n<<1 \r\nhello\r\nyou\r\n<<end 1 0>>\r\n<<2 \r\n<<end 2 ";
        let read = |number: u32| answer(log, &format!("<<{number} "), &format!("<<end {number} "));
        assert_eq!(read(1), Some(("hello\nyou\n".into(), 0)));
        assert_eq!(read(2), None);
    }

    #[test]
    fn a_guest_runs_commands() {
        if !crate::may_run("a_guest_runs_commands") {
            return;
        }
        let mut machine = Machine::boot("guest", &Device::Nothing).unwrap();
        let drivers = machine.must("lsmod").unwrap();
        assert!(drivers.contains("virtio_net"), "{drivers}");
        let kernel = machine.must("uname -r").unwrap();
        assert!(kernel.contains("cloud"), "{kernel}");
        assert_eq!(machine.run("false").unwrap().code, Some(1));
    }
}
