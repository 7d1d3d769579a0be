//! The system calls that the service does without.
//!
//! This is a list of refused calls, not of allowed ones. The libraries for TPMs, buses and names, and the C library, belong to the
//! host: which calls they make changes with their versions. An allow list that forgets a call would fail a client's request. It
//! would add little here, because Landlock covers files and networks. A refused call fails as if the caller lacked the right;
//! nothing is killed.
//!
//! For a call that is refused or allowed whatever its arguments, the kernel only looks into a bitmap (Linux 5.11). So a signature
//! costs no more.

use libc::*;
use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter, sock_filter,
};
use std::collections::BTreeMap;

/// Calls that are refused, whatever their arguments are.
#[rustfmt::skip]
const REFUSED: &[c_long] = &[
    // programs
    SYS_execve, SYS_execveat,
    // the memory and descriptors of other processes
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_process_madvise, SYS_pidfd_getfd, SYS_kcmp,
    // other namespaces, roots and mounts
    SYS_unshare, SYS_setns, SYS_chroot, SYS_pivot_root, SYS_mount, SYS_umount2, SYS_move_mount, SYS_mount_setattr, SYS_open_tree,
    SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick,
    // files without a path, and of every kind and mode
    SYS_mknodat, SYS_openat2, SYS_name_to_handle_at, SYS_open_by_handle_at, SYS_fanotify_init,
    // parts of the kernel with a history of flaws
    SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register,
    SYS_add_key, SYS_request_key, SYS_keyctl, SYS_personality,
    // the host
    SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_kexec_file_load, SYS_reboot, SYS_swapon, SYS_swapoff, SYS_syslog,
    SYS_acct, SYS_quotactl, SYS_quotactl_fd, SYS_settimeofday, SYS_clock_settime, SYS_adjtimex, SYS_clock_adjtime,
    SYS_sethostname, SYS_setdomainname, SYS_vhangup,
];

/// Calls that only this architecture has.
#[cfg(target_arch = "x86_64")]
const OWN: &[c_long] = &[SYS_mknod, SYS_creat, SYS_fork, SYS_vfork, SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_uselib];
#[cfg(not(target_arch = "x86_64"))]
const OWN: &[c_long] = &[];

/// Kinds of sockets that stay: files, IP, and the kernel's tables of addresses, which looking up a host reads.
const SOCKETS: [c_int; 4] = [AF_UNIX, AF_INET, AF_INET6, AF_NETLINK];

/// Calls that set the mode of a file, with the number of that argument.
#[cfg(target_arch = "x86_64")]
const MODES: &[(c_long, u8)] = &[(SYS_chmod, 1), (SYS_fchmod, 1), (SYS_fchmodat, 2), (FCHMODAT2, 2)];
#[cfg(not(target_arch = "x86_64"))]
const MODES: &[(c_long, u8)] = &[(SYS_fchmod, 1), (SYS_fchmodat, 2), (FCHMODAT2, 2)];

/// Calls that may make a file, with the number of the argument for flags; that for the mode follows.
#[cfg(target_arch = "x86_64")]
const MAKING: &[(c_long, u8)] = &[(SYS_open, 1), (SYS_openat, 2)];
#[cfg(not(target_arch = "x86_64"))]
const MAKING: &[(c_long, u8)] = &[(SYS_openat, 2)];

/// Under every architecture.
const CLONE3: u32 = 435;
const FCHMODAT2: c_long = 452;

/// Numbers of calls from here on are those of the x32 ABI, under which each call has a second name.
const X32: u32 = 0x4000_0000;

/// Refuses them to this thread and those that it starts later; false where the kernel has no filters, or a filter that came before, such
/// as a unit's, refuses more.
pub(super) fn refuse() -> Result<bool, Error> {
    let refused = match refused() {
        Err(BackendError::InvalidTargetArch(_)) => return Ok(false),
        refused => refused?,
    };
    for filter in [refused, absent()] {
        match apply_filter(&filter) {
            Err(Error::Seccomp(error)) if matches!(error.raw_os_error(), Some(ENOSYS | EINVAL | EPERM)) => return Ok(false),
            applied => applied?,
        }
    }
    Ok(true)
}

fn refused() -> Result<BpfProgram, BackendError> {
    let always = REFUSED.iter().chain(OWN).map(|call| (*call, Vec::new()));
    let mut rules: BTreeMap<_, _> = always.collect();
    // A process that is no thread of this one. New namespaces come with such a one only.
    rules.insert(SYS_clone, vec![rule(&[lacks(0, CLONE_THREAD)])?]);
    rules.insert(SYS_socket, vec![rule(&SOCKETS.map(|kind| argument(0, SeccompCmpOp::Ne, kind)))?]);
    // Memory that is written and run.
    rules.insert(SYS_mmap, vec![rule(&[has(2, PROT_WRITE), has(2, PROT_EXEC)])?]);
    for call in [SYS_mprotect, SYS_pkey_mprotect] {
        rules.insert(call, vec![rule(&[has(2, PROT_EXEC)])?]);
    }
    rules.insert(SYS_shmat, vec![rule(&[has(2, SHM_EXEC)])?]);
    // A program that others run with the rights of this user or group.
    let more_rights = [S_ISUID, S_ISGID].map(u32::cast_signed);
    for &(call, mode) in MODES {
        rules.insert(call, more_rights.map(|bit| rule(&[has(mode, bit)])).into_iter().collect::<Result<_, _>>()?);
    }
    for &(call, flags) in MAKING {
        let made = more_rights.map(|bit| rule(&[has(flags, O_CREAT), has(flags + 1, bit)]));
        rules.insert(call, made.into_iter().collect::<Result<_, _>>()?);
    }
    // Typing into the terminal that the service was started from.
    let typing = [TIOCSTI, TIOCLINUX].map(|command| rule(&[(1, SeccompCmpOp::Eq, command)]));
    rules.insert(SYS_ioctl, typing.into_iter().collect::<Result<_, _>>()?);
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(EPERM.unsigned_abs()), architecture)?.try_into()
}

/// A comparison of the argument of this number.
type Condition = (u8, SeccompCmpOp, u64);

fn rule(conditions: &[Condition]) -> Result<SeccompRule, BackendError> {
    let condition = |(number, is, value): &Condition| SeccompCondition::new(*number, SeccompCmpArgLen::Dword, is.clone(), *value);
    SeccompRule::new(conditions.iter().map(condition).collect::<Result<_, _>>()?)
}

fn argument(number: u8, is: SeccompCmpOp, value: c_int) -> Condition {
    (number, is, value.unsigned_abs().into())
}

fn has(number: u8, bit: c_int) -> Condition {
    argument(number, SeccompCmpOp::MaskedEq(bit.unsigned_abs().into()), bit)
}

fn lacks(number: u8, bit: c_int) -> Condition {
    argument(number, SeccompCmpOp::MaskedEq(bit.unsigned_abs().into()), 0)
}

/// What is to look as if the kernel did not have it: calls under the names of x32, and clone3, whose arguments no filter sees. The C
/// library takes clone instead.
fn absent() -> BpfProgram {
    // Instructions of the classic BPF: load a word of the call, compare and jump, answer.
    const LOAD: u16 = 0x20;
    const AT_LEAST: u16 = 0x35;
    const EQUAL: u16 = 0x15;
    const ANSWER: u16 = 0x06;
    let step = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    vec![
        step(LOAD, 0, 0, 0),
        step(AT_LEAST, 2, 0, X32),
        step(EQUAL, 1, 0, CLONE3),
        step(ANSWER, 0, 0, SeccompAction::Allow.into()),
        step(ANSWER, 0, 0, SeccompAction::Errno(ENOSYS.unsigned_abs()).into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: u32 = SECCOMP_RET_ALLOW;

    /// The kernel's decision on the call, by all filters: classic BPF over `struct seccomp_data` (seccomp(2)).
    fn answer(call: c_long, arguments: [u64; 6]) -> u32 {
        // its first words are the call's number and the architecture
        let mut data = vec![u32::try_from(call).unwrap(), architecture(), 0, 0];
        data.extend(
            arguments.iter().flat_map(|word| [word & u64::from(u32::MAX), word >> 32]).map(|half| u32::try_from(half).unwrap()),
        );
        // the least answer is the strictest, of those that are here
        [refused().unwrap(), absent()].iter().map(|program| run(program, &data)).min().unwrap()
    }

    fn run(program: &[sock_filter], data: &[u32]) -> u32 {
        let (mut at, mut word) = (0, 0_u32);
        loop {
            let step = &program[at];
            at += 1;
            let jump = |taken: bool| usize::from(if taken { step.jt } else { step.jf });
            match step.code {
                0x20 => word = data[step.k as usize / 4],
                0x54 => word &= step.k,
                0x05 => at += step.k as usize,
                0x15 => at += jump(word == step.k),
                0x25 => at += jump(word > step.k),
                0x35 => at += jump(word >= step.k),
                0x06 => return step.k,
                code => panic!("an instruction {code:#x}"),
            }
        }
    }

    fn architecture() -> u32 {
        // the filter's own second instruction compares with it
        refused().unwrap()[1].k
    }

    fn failing(errno: c_int) -> u32 {
        SECCOMP_RET_ERRNO | errno.unsigned_abs()
    }

    #[test]
    fn what_is_listed_is_refused_under_each_of_its_names() {
        for call in REFUSED.iter().chain(OWN) {
            assert_eq!(answer(*call, [0; 6]), failing(EPERM), "{call}");
            assert_eq!(answer(*call | c_long::from(X32), [0; 6]), failing(ENOSYS), "{call}");
        }
        assert_eq!(answer(SYS_clone3, [0; 6]), failing(ENOSYS));
        for call in [SYS_read, SYS_recvfrom, SYS_sendto, SYS_epoll_pwait, SYS_futex, SYS_mlockall, SYS_prctl, SYS_accept4] {
            assert_eq!(answer(call, [u64::MAX; 6]), ALLOWED, "{call}");
        }
    }

    #[test]
    fn arguments_tell_a_thread_from_a_process_and_data_from_code() {
        let bits = |bits: c_int| u64::from(bits.unsigned_abs());
        let thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
        let (data, code, both) = (PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC, PROT_WRITE | PROT_EXEC);
        for (call, number, value, allowed) in [
            (SYS_clone, 0, bits(thread), true),
            (SYS_clone, 0, bits(SIGCHLD), false),
            (SYS_clone, 0, bits(CLONE_VM | CLONE_VFORK | SIGCHLD), false),
            (SYS_clone, 0, bits(CLONE_NEWUSER), false),
            (SYS_mmap, 2, bits(data), true),
            (SYS_mmap, 2, bits(code), true),
            (SYS_mmap, 2, bits(both), false),
            (SYS_mmap, 2, bits(both | PROT_READ), false),
            (SYS_mprotect, 2, bits(PROT_READ), true),
            (SYS_mprotect, 2, bits(code), false),
            (SYS_pkey_mprotect, 2, bits(both), false),
            (SYS_shmat, 2, bits(SHM_EXEC), false),
            (SYS_shmat, 2, 0, true),
            (SYS_ioctl, 1, FIONBIO, true),
            (SYS_ioctl, 1, TIOCSTI, false),
            (SYS_ioctl, 1, TIOCSTI | 1 << 32, false),
            (SYS_ioctl, 1, TIOCLINUX, false),
            (SYS_socket, 0, bits(AF_UNIX), true),
            (SYS_socket, 0, bits(AF_INET), true),
            (SYS_socket, 0, bits(AF_ALG), false),
            (SYS_socket, 0, bits(AF_PACKET), false),
            (SYS_fchmod, 1, 0o777, true),
            (SYS_fchmod, 1, 0o4755, false),
            (SYS_fchmodat, 2, 0o2755, false),
            (FCHMODAT2, 2, 0o6755, false),
            (SYS_openat, 3, 0o4755, true),
        ] {
            let mut arguments = [0; 6];
            arguments[number] = value;
            let expected = if allowed { ALLOWED } else { failing(EPERM) };
            assert_eq!(answer(call, arguments), expected, "call {call}, argument {number} = {value:#x}");
        }
        let made = |mode| answer(SYS_openat, [0, 0, bits(O_CREAT | O_WRONLY), mode, 0, 0]);
        assert_eq!((made(0o666), made(0o4755)), (ALLOWED, failing(EPERM)));
    }
}
