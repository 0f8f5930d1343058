"""What sets up the environments, run with a Python that only notes what it is asked for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYTHON = """\
#!/bin/sh
here=$(dirname "$0")
echo "$*" >> "$CALLS"
case "$*" in
*"import ensurepip, venv"*) test -e "$here/has-venv" || exit "$LACKS_ENSUREPIP" ;;
"-m venv --clear "*) rm -rf "$4"; mkdir -p "$4/bin"; cp "$0" "$4/bin/python"; touch "$4/bin/has-pip" ;;
"-m pip --version") test -e "$here/has-pip" ;;
"-m pip install "*) touch "$here/has-uv" ;;
"-m uv --version") test -e "$here/has-uv" ;;
"-m virtualenv --version") exit 1 ;;
esac
"""
UV = """\
#!/bin/sh
echo "uv $*" >> "$CALLS"
while [ $# -gt 1 ]; do shift; done
mkdir -p "$1/bin"; cp "$HERE/python3" "$1/bin/python"; touch "$1/bin/has-pip"
printf 'home = /usr/bin\\nuv = 1.2.3\\nversion_info = 3.11.7\\n' > "$1/pyvenv.cfg"
"""
APT = """\
#!/bin/sh
echo "apt-get $*" >> "$CALLS"
case "$*" in install*python3-venv*) touch "$HERE/has-venv" ;; esac
"""


class Machine:
    """A folder with spaces in its name, with a Python and perhaps uv."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "my node"
        self.folder.mkdir()
        self.calls = folder / "calls"
        self.environment = self.folder / ".venv"
        self.put("python3", PYTHON)
        self.put("id", "#!/bin/sh\necho 1000\n")  # so that no test installs anything on this machine
        self.put("apt-get", APT)

    def put(self, name: str, script: str) -> None:
        (self.folder / name).write_text(script)
        (self.folder / name).chmod(0o755)

    def install(self, *, lacks_ensurepip: bool = False) -> tuple[int, str, list[str]]:
        """Exit code, what was said on standard error, and what the Pythons were asked for."""
        self.calls.write_text("")
        given = {"CALLS": str(self.calls), "LACKS_ENSUREPIP": str(int(lacks_ensurepip)), "HERE": str(self.folder)}
        done = subprocess.run(
            ["sh", "requirements/install.sh", self.folder / "python3", self.environment, "requirements/run.txt"],
            cwd=ROOT,
            env={**given, "PATH": f"{self.folder}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stderr, self.calls.read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def installed(calls: list[str]) -> bool:
    return any("uv pip sync" in call and "--require-hashes requirements/run.txt" in call for call in calls)


def test_an_environment_is_made_once_also_in_a_folder_with_spaces(machine: Machine) -> None:
    code, said, calls = machine.install()
    assert (code, said, installed(calls)) == (0, "", True)
    assert f"-m venv --clear {machine.environment}" in calls
    code, _, calls = machine.install()
    assert (code, installed(calls)) == (0, True)
    assert not any("venv --clear" in call for call in calls)


def test_what_was_interrupted_is_begun_again(machine: Machine) -> None:
    (machine.environment / "bin").mkdir(parents=True)
    (machine.environment / "bin" / "python").write_text(PYTHON)  # not to be run yet, and without pip
    code, _, calls = machine.install()
    assert (code, installed(calls)) == (0, True)
    assert f"-m venv --clear {machine.environment}" in calls


def test_without_ensurepip_uv_makes_it(machine: Machine) -> None:
    machine.put("uv", UV)
    code, _, calls = machine.install(lacks_ensurepip=True)
    assert (code, installed(calls)) == (0, True)
    assert any(call.startswith("uv venv") and "--seed" in call for call in calls)
    assert not any("-m venv" in call for call in calls)
    # Else uv would take pip out again, and the next run begin anew.
    assert (machine.environment / "pyvenv.cfg").read_text() == "home = /usr/bin\nversion_info = 3.11.7\n"
    _, _, calls = machine.install(lacks_ensurepip=True)
    assert not any(call.startswith("uv venv") for call in calls)


def test_as_root_without_ensurepip_debians_package_is_installed(machine: Machine) -> None:
    machine.put("id", "#!/bin/sh\necho 0\n")
    code, said, calls = machine.install(lacks_ensurepip=True)
    assert (code, said, installed(calls)) == (0, "", True)
    assert [call for call in calls if call.startswith("apt-get")] == [
        "apt-get update -qq",
        "apt-get install -y -qq python3-venv",
    ]
    assert f"-m venv --clear {machine.environment}" in calls


def test_the_project_is_installed_after_what_is_not_pinned_went(machine: Machine) -> None:
    _, _, calls = machine.install()
    (emptied,) = [number for number, call in enumerate(calls) if "uv pip sync" in call]
    (own,) = [number for number, call in enumerate(calls) if "--no-deps --no-build-isolation --editable ." in call]
    assert emptied < own


def test_where_nothing_makes_environments_one_line_says_what_to_install(machine: Machine) -> None:
    code, said, calls = machine.install(lacks_ensurepip=True)
    assert (code, said.count("\n"), installed(calls)) == (1, 1, False)
    assert "apt install python3-venv" in said
    assert not any(call.startswith("apt-get") for call in calls)  # only root can
    assert not machine.environment.exists()
