use super::*;
use crate::store::{Store, StoreKey};
use rustix::net::{AddressFamily, SocketType, socket};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;

/// Does this in a sandbox of its own: a thread. What the kernel lacks is not tested.
fn inside(own: &[&Path], reach: &[Reach], work: impl FnOnce() + Send) {
    let thread = || match apply(own.iter().copied(), reach) {
        Ok(missing) if missing.is_empty() => work(),
        Ok(missing) => eprintln!("not tested, as this kernel has no {missing:?}"),
        Err(error) => panic!("{error}"),
    };
    std::thread::scope(|scope| scope.spawn(thread).join().unwrap());
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: std::io::Result<T>) {
    assert_eq!(result.unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[test]
fn the_store_works_and_other_files_are_out_of_reach() {
    let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (store, key) = (own.path().join("state/keys.sqlite"), own.path().join("etc/store.key"));
    let file = other.path().join("file");
    fs::write(&file, "x").unwrap();
    inside(&[&store, &key], &[], || {
        for _ in 0..2 {
            Store::open(&store, &StoreKey::File(key.clone()), false).unwrap();
        }
        let copy = store.with_extension("copy");
        fs::copy(&store, &copy).unwrap();
        fs::rename(&copy, store.with_extension("new")).unwrap();
        fs::File::options().write(true).truncate(true).open(store.with_extension("new")).unwrap().sync_all().unwrap();
        fs::remove_file(store.with_extension("new")).unwrap();

        refused(fs::read(&file));
        refused(fs::write(&file, "y"));
        refused(fs::write(other.path().join("new"), ""));
        refused(fs::remove_file(&file));
        refused(fs::read_dir(other.path()));
        refused(fs::write(own.path().join("beside"), ""));
        assert_eq!(nix::unistd::User::from_name("root").unwrap().unwrap().uid.as_raw(), 0, "who users are");
        refused(fs::File::options().append(true).open("/etc/passwd"));
    });
    assert_eq!(fs::read(&file).unwrap(), b"x");
}

#[test]
fn a_store_behind_a_link_works() {
    let own = tempfile::tempdir().unwrap();
    let [store, real] = ["link/keys.sqlite", "real/keys"].map(|name| own.path().join(name));
    ["link", "real"].iter().for_each(|name| fs::create_dir(own.path().join(name)).unwrap());
    fs::write(&real, "").unwrap();
    std::os::unix::fs::symlink(&real, &store).unwrap();
    let key = own.path().join("link/store.key");
    inside(&[&store, &key], &[], || drop(Store::open(&store, &StoreKey::File(key.clone()), false).unwrap()));
}

#[test]
fn a_device_is_what_is_written_beside_the_store() {
    let own = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let (device, neighbour) = (other.path().join("tpmrm0"), other.path().join("tpmrm1"));
    [&device, &neighbour].iter().for_each(|path| fs::write(path, "").unwrap());
    inside(&[&own.path().join("keys.sqlite")], &[Reach::Device(device.clone())], || {
        fs::File::options().read(true).write(true).open(&device).unwrap();
        refused(fs::File::open(&neighbour));
    });
}

#[test]
fn the_network_is_the_chips() {
    let own = tempfile::tempdir().unwrap();
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    let (chip, other) = (listen(), listen());
    let bus = own.path().join("bus");
    let _bus = UnixListener::bind(&bus).unwrap();
    let [here, there] = [&chip, &other].map(|listener| listener.local_addr().unwrap());
    inside(&[&own.path().join("keys.sqlite")], &[Reach::Port(here.port())], || {
        TcpStream::connect(here).unwrap();
        refused(TcpStream::connect(there));
        refused(TcpListener::bind("127.0.0.1:0"));
        UnixStream::connect(&bus).unwrap();
        for (family, reachable) in [
            (AddressFamily::UNIX, true),
            (AddressFamily::INET6, true),
            (AddressFamily::NETLINK, true),
            (AddressFamily::PACKET, false),
            (AddressFamily::BLUETOOTH, false),
            (AddressFamily::VSOCK, false),
        ] {
            let refusal = socket(family, SocketType::DGRAM, None).err();
            assert_eq!(refusal == Some(rustix::io::Errno::PERM), !reachable, "{family:?}: {refusal:?}");
        }
    });
}

#[test]
fn there_are_threads_and_no_processes() {
    let own = tempfile::tempdir().unwrap();
    let mut sleeper = Command::new("sleep").arg("60").spawn().unwrap();
    let pid = Pid::from_child(&sleeper);
    inside(&[&own.path().join("keys.sqlite")], &[], || {
        refused(Command::new("true").status());
        refused(kill_process(pid, Signal::KILL).map_err(Into::into));
        let status = || fs::read_to_string("/proc/thread-self/status").unwrap();
        // and what a thread starts is like it
        for status in [status(), std::thread::spawn(status).join().unwrap()] {
            for line in ["NoNewPrivs:\t1", "Seccomp:\t2", "Seccomp_filters:\t2"] {
                assert!(status.contains(line), "{status}");
            }
        }
    });
    assert!(sleeper.try_wait().unwrap().is_none());
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

#[test]
fn what_older_kernels_lack_is_named() {
    assert_eq!(lacking(RULES), None);
    let debian12 = lacking(ABI::V2).unwrap();
    for rules in ["files short", "TCP", "devices", "signals"] {
        assert!(debian12.contains(rules), "{debian12}");
    }
    assert_eq!(lacking(ABI::V5).unwrap(), "Landlock's rules for signals and abstract sockets (Linux 6.12)");
}

#[test]
fn a_device_that_comes_later_can_be_opened() {
    let (own, devices) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (store, [there, other, later]) =
        (own.path().join("state/keys.sqlite"), ["tpm0", "tpm1", "tpm2"].map(|name| devices.path().join(name)));
    [&there, &other].iter().for_each(|file| fs::write(file, "x").unwrap());
    let open = |path: &Path| fs::File::options().read(true).write(true).open(path);
    inside(&[&store], &[Reach::Device(there.clone())], || {
        open(&there).unwrap();
        refused(open(&other));
    });
    let (come, wait) = std::sync::mpsc::channel();
    let (came, answer) = std::sync::mpsc::channel();
    let answer = std::sync::Mutex::new(answer);
    std::thread::scope(|scope| {
        let device = &later;
        scope.spawn(move || {
            if wait.recv().is_ok() {
                fs::write(device, "x").unwrap();
                came.send(()).unwrap();
            }
        });
        inside(&[&store], &[Reach::Device(later.clone())], || {
            refused(fs::write(&later, "x"));
            come.send(()).unwrap();
            answer.lock().unwrap().recv().unwrap();
            open(&later).unwrap();
        });
        drop(come);
    });
}
