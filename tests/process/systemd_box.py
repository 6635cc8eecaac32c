"""A throw-away systemd with asmm installed under /opt/asmm, as the unit expects it."""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from process_tools import ROOT, wait_for

from asmm_daemon import kernels
from asmm_daemon.service import control

SDBOX = ROOT.parent / "shared" / "tools" / "sdbox"
OPT, VENV = Path("/opt/asmm"), Path("/opt/asmm/.venv")
CACHE = Path("/var/cache/asmm/asmm/kernels")


def reason_to_skip():
    """Why no box can be started here; empty when one can."""
    if os.geteuid() != 0:
        return "needs root"
    if not Path("/lib/systemd/systemd").exists():
        return "systemd is not installed"
    if not SDBOX.exists():
        return f"the sandbox tool is missing: {SDBOX}"
    return ""


class Box:
    """One booted systemd on an overlay of this machine's root; the network is this machine's."""

    def __init__(self, folder):
        self.folder, self.root = folder, folder / "root"
        subprocess.run([SDBOX, "up", folder], check=True, timeout=60)
        try:
            self._install()
        except BaseException:
            self.close()
            raise

    def run(self, *command, check=True, seconds=60):
        """A command inside."""
        done = subprocess.run(
            [SDBOX, "exec", self.folder, *map(str, command)],
            check=False,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done

    def path(self, inside):
        """Where a file of the box lies for us."""
        return self.root / Path(inside).relative_to("/")

    def write(self, inside, text, mode=0o644):
        """A file in the box."""
        target = self.path(inside)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def _install(self):
        python = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        packages = VENV / "lib" / python / "site-packages"
        self._bind({OPT / "python": sys.base_prefix, OPT / "packages": sysconfig.get_path("purelib")})
        self.write(packages / "packages.pth", f"{OPT}/packages\n")
        self.write(VENV / "pyvenv.cfg", f"home = {OPT}/python/bin\ninclude-system-site-packages = false\n")
        self.write(
            VENV / "bin" / "asmm",
            f"#!{VENV}/bin/python\nimport sys\nfrom asmm_daemon.cli import main\nsys.exit(main())\n",
            0o755,
        )
        self.path(VENV / "bin" / "python").symlink_to(OPT / "python" / "bin" / python)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "asmm_daemon", self.path(packages / "asmm_daemon"), ignore=ignored)
        self.run(VENV / "bin" / "python", "-m", "compileall", "-q", packages / "asmm_daemon")
        self._copy_kernels(packages)
        self.write("/usr/lib/sysusers.d/asmm.conf", (ROOT / "systemd" / "sysusers.conf").read_text())
        self.run("systemd-sysusers", "asmm.conf")
        libraries = f"[Service]\nEnvironment=LD_LIBRARY_PATH={OPT}/python/lib\n"  # of a relocated Python
        for unit in ("asmm@.service", "asmm-cancel@.service"):
            self.write(f"/etc/systemd/system/{unit}", (ROOT / "systemd" / unit).read_text())
            self.write(f"/etc/systemd/system/{unit}.d/python.conf", libraries)
        self.run("systemctl", "daemon-reload")

    def _bind(self, places):
        """Shows folders of this machine at other places; those under /tmp are hidden inside otherwise."""
        self.run("mount", "--bind", "--make-private", "/", "/mnt")
        for place, source in places.items():
            self.path(place).mkdir(parents=True, exist_ok=True)
            self.run("mount", "--bind", f"/mnt{Path(source).resolve()}", place)
        self.run("umount", "/mnt")

    def _copy_kernels(self, packages):
        """Takes compiled kernels along: numba files them under a hash of the source's folder."""
        ours = Path(os.environ["NUMBA_CACHE_DIR"])
        for folder in {file.parent for file in (ROOT / "asmm_daemon").rglob("*.py")}:
            compiled = ours / _numba_folder(folder)
            if compiled.is_dir():
                there = packages / folder.relative_to(ROOT)
                shutil.copytree(compiled, self.path(CACHE / kernels.source_key() / _numba_folder(there)))

    def compiled(self):
        """The kernel cache: every file with the time it was written."""
        return {str(file): file.stat().st_mtime_ns for file in self.path(CACHE).rglob("*.nb?")}

    def close(self):
        """Ends everything in it."""
        subprocess.run([SDBOX, "down", self.folder], check=True, timeout=60)


def _numba_folder(folder):
    return f"{folder.name}_{hashlib.sha1(str(folder).encode()).hexdigest()}"


class Unit:
    """One instance of asmm@.service against a running exchange."""

    def __init__(self, box, name, exchange, secret="SECRET"):
        self.box, self.name, self.exchange = box, f"asmm@{name}", exchange
        self.config = Path(f"/etc/asmm/{name}.toml")
        self.state = Path(f"/var/lib/asmm/{name}")
        box.write(f"/etc/asmm/{name}.key", "KEY\n", 0o600)
        box.write(f"/etc/asmm/{name}.secret", f"{secret}\n", 0o600)
        self.configure()

    def configure(self, **changes):
        """Writes the configuration: the shipped one at our exchange, with `changes` of whole lines."""
        ready = self.exchange.ready
        values = {
            "mode": '"live"',
            "rest_url": f'"{ready["rest_url"]}"',
            "ws_url": f'"{ready["ws_url"]}"',
            "accept_negative_expectation": "true",
            "http_port": "0",
            "metrics_port": "0",
            **changes,
        }
        lines = []
        for line in (ROOT / "config.toml").read_text().splitlines():
            name = line.partition(" = ")[0]
            lines.append(f"{name} = {values.pop(name)}" if name in values else line)
        assert not values, values
        self.box.write(self.config, "\n".join(lines) + "\n")

    def systemctl(self, *words, check=True, seconds=150):
        """`systemctl WORDS asmm@NAME`."""
        return self.box.run("systemctl", *words, self.name, check=check, seconds=seconds)

    def show(self, name):
        """One property."""
        return self.systemctl("show", "--value", "-p", name).stdout.strip()

    def journal(self):
        """Everything that it and systemd said about it."""
        units = (self.name, self.name.replace("asmm@", "asmm-cancel@"))
        return self.box.run("journalctl", *(f"-u{unit}" for unit in units), "-ocat", "--no-pager").stdout

    def status(self):
        """The daemon's status, over its control socket."""
        return control.status(self.box.path(self.state))

    def start_quoting(self, seconds=60):
        """Starts it unless it runs; returns once both sides rest."""
        assert self.systemctl("start", check=False, seconds=seconds + 30).returncode == 0, self.journal()
        self.wait_until_quoting(seconds)

    def wait_until_quoting(self, seconds=60):
        """Returns once systemd calls it active and both sides rest at the venue."""

        def both_sides():
            sides = {line["side"] for line in self.exchange.open_orders().values()}
            return len(sides) == 2 and self.show("StatusText").startswith("ACTIVE")

        try:
            wait_for(both_sides, seconds, 0.2)
        except AssertionError:
            raise AssertionError(self.journal()) from None
