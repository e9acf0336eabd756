# SPDX-License-Identifier: GPL-2.0-or-later
"""conftest.py - the fixtures: a world, the daemon in it, guests on its networks.

Run by run.sh only: outside of namespaces of its own nothing here may start.

Several runs beside each other can share one suite (suite.py does that): with --share DIR each takes
the next test that none of the others has taken, which it says by making a file in DIR.
"""
import fcntl
import glob
import os
import re
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position,redefined-outer-name
from daemon import BUILD, Vmlaned, qemu  # noqa: E402
from foreign import GATEWAY  # noqa: E402
from guest import RunGuest, TapGuest  # noqa: E402
from world import INTERNET, World  # noqa: E402


def pytest_addoption(parser):
    try:
        parser.addoption("--share", metavar="DIR", help="run only what no other run with the same DIR has taken")
    except ValueError:
        pass  # tests/platform has this file's names in a conftest.py of its own, too


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes ten seconds and more: begun first where runs share the tests")
    config.addinivalue_line("markers", "everywhere: puts something where explain sees it in each namespace of the machine")
    config.addinivalue_line("markers", "slow: left out of the run with the sanitized programs")
    if not BUILD or os.listdir("/sys/class/net") != ["lo"]:
        raise pytest.UsageError("these tests run in namespaces of their own: tests/netns/run.sh BUILD_DIR")


def take(directory, number):
    """Is test @number ours? It is nobody else's then."""
    try:
        os.close(os.open(f"{directory}/{number}", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session):
    """As pytest's own loop, but for the tests that others take. No test here is in need of what the
    one before it has set up, so each is taken down to the end: which one comes next nobody knows."""
    directory = session.config.getoption("share")
    if not directory or session.config.option.collectonly:
        return None
    if session.testsfailed:
        raise session.Interrupted(f"{session.testsfailed} errors while the tests were collected")
    with open(f"{directory}/all", "w", encoding="utf-8") as f:
        f.writelines(f"{item.nodeid}\n" for item in session.items)
    first = sorted(range(len(session.items)), key=lambda i: session.items[i].get_closest_marker("long") is None)
    for number in first:
        item = session.items[number]
        if take(directory, number):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            if session.shouldfail or session.shouldstop:
                raise session.Interrupted(session.shouldfail or session.shouldstop)
    return True


def tmp_of(node):
    return "/run/test/" + re.sub("[^A-Za-z0-9_.-]+", "-", node.name)[:60]


@pytest.fixture(autouse=True)
def alone(request):
    """Tests that ask explain wait for those of other runs that are marked `everywhere`, and those for them."""
    everywhere = request.node.get_closest_marker("everywhere")
    if not everywhere and not re.match("test_(explain|doctor|libvirt|policy)", request.module.__name__):
        yield
        return
    with open(__file__, "rb") as f:
        fcntl.flock(f, fcntl.LOCK_EX if everywhere else fcntl.LOCK_SH)
        yield


@pytest.fixture
def tmp(request):
    path = tmp_of(request.node)
    os.makedirs(path)
    yield path
    failed = getattr(request.node, "failed", False)
    if not failed:
        shutil.rmtree(path, ignore_errors=True)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the daemon said."""
    report = (yield).get_result()
    if report.failed:
        item.failed = True
        path = tmp_of(item)
        for log in sorted(glob.glob(f"{path}/*.log") + glob.glob(f"{path}/*/*.log") + glob.glob(f"{path}/*/*/log")):
            with open(log, encoding="utf-8", errors="replace") as f:
                text = f.read()
            if text:
                report.sections.append((os.path.relpath(log, path), text[-6000:]))


@pytest.fixture
def own(tmp):
    """Makes folders of the system's the test's own, with what is in them."""
    made = []

    def make(path):
        copy = f"{tmp}/own{path}"
        shutil.copytree(path, copy, symlinks=True)
        subprocess.run(["mount", "--bind", copy, path], check=True)
        made.append(path)

    yield make
    for path in reversed(made):
        subprocess.run(["umount", "-l", path], check=True)


@pytest.fixture
def sanitizers(tmp):
    """Whatever a sanitizer says in any program of ours fails the test."""
    path = f"{tmp}/sanitizer"
    saved = {k: os.environ.get(k) for k in ("ASAN_OPTIONS", "UBSAN_OPTIONS")}
    os.environ["ASAN_OPTIONS"] = f"detect_leaks=1:exitcode=99:log_path={path}"
    os.environ["UBSAN_OPTIONS"] = f"halt_on_error=1:print_stacktrace=1:exitcode=99:log_path={path}"
    yield
    for key, value in saved.items():
        if value is None:
            os.environ.pop(key)
        else:
            os.environ[key] = value
    found = glob.glob(f"{path}.*")
    for log in found:
        with open(log, encoding="utf-8", errors="replace") as f:
            print(f.read())
    assert not found, "a sanitizer found a mistake"


@pytest.fixture
def world(tmp, sanitizers):
    w = World(tmp)
    yield w
    w.done()


@pytest.fixture
def daemon(world):
    """Makes a daemon with other networks than the usual one: daemon({"lab.yaml": "..."})."""
    made = []

    def make(networks=None, start=True, args=()):
        d = Vmlaned(world, networks, args)
        made.append(d)
        return d.start() if start else d

    yield make
    for d in made:
        if d.p and d.p.alive():
            d.stop()


@pytest.fixture
def vmlaned(daemon):
    """The daemon with network `default`."""
    return daemon()


@pytest.fixture
def guest(request):
    """Makes guests: guest("web1", mac=...) by `vmlane run`, guest("db", tap=True) by attach; of
    the usual daemon, or of the one given as d."""

    def make(name, tap=False, d=None, **kw):
        d = d or request.getfixturevalue("vmlaned")
        return (TapGuest if tap else RunGuest)(d, name, **kw)

    return make


@pytest.fixture
def vm(host):
    """A guest on the foreign bridge of a module's own `host`, that everybody knows; it is named by its addresses,
    as the bridge may have forgotten it."""
    g = host.guest(1)
    host.who = ["--mac", g.mac, "--source", g.ip]
    assert g.reaches(INTERNET) and g.reaches(GATEWAY)
    return g


@pytest.fixture
def need_qemu():
    name = qemu()
    if not name:
        pytest.skip("no QEMU is installed (qemu-system-x86)")
    return name
