"""What every child does just before it becomes its program. Run by path, standard library only:

    python -I -S guard.py PARENT SIGNAL IDENTITY PROGRAM [ARGUMENT…]

* It asks the kernel for SIGNAL when PARENT ends, so that a `kill -9` of the launcher leaves nothing
  behind. Linux only: elsewhere a child outlives a launcher that was killed that way.
* IDENTITY is `same`, `user:UID` (drop to that user) or `namespace:UID` (root takes that number
  inside a user namespace of its own, where every file stays root's).
"""

import ctypes
import os
import signal
import sys

CLONE_NEWUSER = 0x10000000  # <linux/sched.h>
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def die_with(parent: int, signum: int) -> None:
    """Receive `signum` when the parent's starting thread ends; end now if it already has."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signum)
    if os.getppid() != parent:
        sys.exit("the launcher has ended")


def enter_namespace(uid: int) -> None:
    """Map this user and group, and no other, to `uid` in a new user namespace."""
    outside_user, outside_group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"no user namespace: {os.strerror(error)}")
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {outside_user} 1"),
        ("gid_map", f"{uid} {outside_group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(line)


def take(identity: str) -> None:
    kind, _, number = identity.partition(":")
    if kind == "namespace":
        enter_namespace(int(number))
    elif kind == "user":
        os.setgroups([])
        os.setgid(int(number))
        os.setuid(int(number))


def main() -> None:
    parent, signum, identity, *command = sys.argv[1:]
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for name in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(name, signal.SIG_DFL)
    try:
        take(identity)
        # After the change of user: the kernel forgets the request when a process changes its user.
        die_with(int(parent), int(signum))
        os.execv(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: {error}")


if __name__ == "__main__":
    main()
