"""The archive's connection and its rows: frames, packets, events, commands. Samples and files stand beside.

One Archive is used from one thread. Any number of processes may have the same file open (write-ahead log): readers
never wait, writers take turns. Rows written since the last `commit()` are lost when the process is killed, all others
are not; the station commits before it acknowledges anything to a unit.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rovercam.archive.errors import ArchiveBusy, ArchiveError, ArchiveFull, NotAnArchive
from rovercam.archive.files import Files
from rovercam.archive.samples import Samples
from rovercam.archive.schema import TABLES, VERSION
from rovercam.dictionary import Dictionary, load

BUSY_TIMEOUT = 15.0
"""Seconds to wait for another process's transaction."""


def source_of(unit: int, service: int, subtype: int, structure: int = 0) -> int:
    """Key of packets whose source data have one shape."""
    return unit << 24 | service << 16 | subtype << 8 | structure


class Archive(Samples, Files):
    """An archive file, made when it does not exist (unless ``readonly``)."""

    def __init__(self, path: Path | str, *, dictionary: Dictionary | None = None, readonly: bool = False):
        """Raises NotAnArchive, ArchiveBusy, ArchiveFull."""
        self.path = Path(path)
        self.dictionary = dictionary or load()
        self.readonly = readonly
        if readonly and not self.path.exists():
            raise NotAnArchive(f"there is no archive at {self.path}; the first `rovercam ground` or `shoot` makes it")
        try:
            self.db = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
            with self.errors():
                self._prepare()
        except sqlite3.DatabaseError as error:
            raise NotAnArchive(f"{self.path} cannot be opened as an archive: {error}") from error
        super().__init__()

    def _prepare(self) -> None:
        db = self.db
        db.execute(f"PRAGMA mmap_size={256 << 20}")
        db.execute("PRAGMA cache_size=-65536")
        if self.readonly:
            db.execute("PRAGMA query_only=1")
        else:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            db.execute("PRAGMA journal_size_limit=67108864")
        tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type='table'")}
        if "meta" not in tables:
            if tables or self.readonly:
                raise NotAnArchive(f"{self.path} is a database, but not of rovercam (tables {sorted(tables)[:5]})")
            db.execute("BEGIN IMMEDIATE")
            for statement in re.sub(r"--.*", "", TABLES).split(";"):
                db.execute(statement)
            db.execute("INSERT OR IGNORE INTO meta VALUES ('version', ?)", (VERSION,))
            db.execute("COMMIT")
        (version,) = db.execute("SELECT value FROM meta WHERE key='version'").fetchone()
        if version > VERSION:
            raise NotAnArchive(
                f"{self.path} has archive version {version}, this rovercam knows up to {VERSION}; update it"
            )

    # -------------------------------------------------------------------------------------------------- transactions
    @contextmanager
    def errors(self) -> Iterator[None]:
        """SQLite's errors in our words."""
        try:
            yield
        except sqlite3.OperationalError as error:
            text = str(error)
            if "full" in text or "disk I/O" in text:
                raise ArchiveFull(
                    f"{self.path}: {text}; free some space, or move the archive (ROVERCAM_HOME)"
                ) from error
            if "locked" in text or "busy" in text:
                raise ArchiveBusy(f"{self.path} was held by another process for {BUSY_TIMEOUT:g} s") from error
            raise ArchiveError(f"{self.path}: {text}") from error

    def begin(self) -> None:
        """Start a transaction unless one is open; every writing method calls it."""
        if not self.db.in_transaction:
            with self.errors():
                self.db.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """What was written so far survives a kill from here on."""
        if self.db.in_transaction:
            with self.errors():
                self.db.execute("COMMIT")

    def rollback(self) -> None:
        if self.db.in_transaction:
            self.db.execute("ROLLBACK")
            self.forget_cached()

    def close(self) -> None:
        self.commit()
        self.db.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self.rollback()
        self.close()

    def _insert(self, sql: str, values: Sequence[Any]) -> int:
        self.begin()
        with self.errors():
            return int(self.db.execute(sql, values).lastrowid or 0)

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        cursor = self.db.execute(sql, values)
        names = [c[0] for c in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    # ---------------------------------------------------------------------------------------------- frames and packets
    def add_frame(self, received: float, port: str, unit: int, channel: int, corrected: int, data: bytes) -> int:
        """A transfer frame, whole and checked; returns its id. corrected: symbols that had to be corrected."""
        return self._insert(
            "INSERT INTO frame (received, port, unit, channel, corrected, data) VALUES (?,?,?,?,?,?)",
            (received, port, unit, channel, corrected, data),
        )

    def add_packet(
        self,
        *,
        frame: int | None,
        time: float,
        received: float,
        unit: int,
        apid: int,
        sequence: int,
        source: int,
        body: int,
        data: bytes,
    ) -> int:
        """A live space packet; see schema for source and body."""
        number = self._insert(
            "INSERT INTO packet (frame, time, received, unit, apid, sequence, source, body, data)"
            " VALUES (?,?,?,?,?,?,?,?,?)",
            (frame, time, received, unit, apid, sequence, source, body, data),
        )
        self._packet_added(source)
        return number

    def frames(self, start: float = 0.0, end: float = 1e12) -> Iterator[tuple[int, float, str, int, bytes]]:
        """(id, received, port, unit, bytes) in order of arrival."""
        yield from self.db.execute(
            "SELECT id, received, port, unit, data FROM frame WHERE received >= ? AND received < ? ORDER BY id",
            (start, end),
        )

    def packets(self, start: float = 0.0, end: float = 1e12, unit: int | None = None) -> list[dict[str, Any]]:
        """Live packets with generation time in [start, end)."""
        return self._rows(
            "SELECT * FROM packet WHERE time >= ? AND time < ? AND (? IS NULL OR unit = ?) ORDER BY time, id",
            (start, end, unit, unit),
        )

    def units(self) -> list[int]:
        """Units ever heard."""
        return [row[0] for row in self.db.execute("SELECT DISTINCT source >> 24 FROM source ORDER BY 1")]

    # ---------------------------------------------------------------------------------------------------------- events
    def add_event(
        self,
        *,
        packet: int | None,
        time: float,
        received: float,
        unit: int,
        number: int,
        name: str,
        severity: str,
        text: str,
        fields: dict[str, Any],
    ) -> int:
        """An event of a unit, or of the station itself (number 0)."""
        return self._insert(
            "INSERT INTO event (packet, time, received, unit, number, name, severity, text, fields)"
            " VALUES (?,?,?,?,?,?,?,?,?)",
            (packet, time, received, unit, number, name, severity, text, json.dumps(fields, default=str)),
        )

    def events(
        self,
        start: float = 0.0,
        end: float = 1e12,
        *,
        unit: int | None = None,
        severities: Iterable[str] | None = None,
        after: int = 0,
        limit: int = 1000,
    ) -> list[dict[str, Any]]:
        """The newest ``limit`` events in [start, end) with id > after, oldest first."""
        wanted = None if severities is None else json.dumps(list(severities))
        rows = self._rows(
            "SELECT * FROM event WHERE time >= ? AND time < ? AND (? IS NULL OR unit = ?) AND id > ?"
            " AND (? IS NULL OR severity IN (SELECT value FROM json_each(?))) ORDER BY time DESC, id DESC LIMIT ?",
            (start, end, unit, unit, after, wanted, wanted, limit),
        )
        for row in rows:
            row["fields"] = json.loads(row["fields"])
        return rows[::-1]

    def acknowledge_event(self, number: int, who: str) -> None:
        self.begin()
        self.db.execute("UPDATE event SET acknowledged = ? WHERE id = ?", (who, number))

    # -------------------------------------------------------------------------------------------------------- commands
    def add_command(
        self,
        *,
        time: float,
        unit: int,
        name: str,
        arguments: dict[str, Any],
        sender: str,
        apid: int,
        sequence: int,
        data: bytes,
    ) -> int:
        return self._insert(
            "INSERT INTO command (time, unit, name, arguments, sender, apid, sequence, data, state)"
            " VALUES (?,?,?,?,?,?,?,?,'queued')",
            (time, unit, name, json.dumps(arguments, default=str), sender, apid, sequence, data),
        )

    def set_command_packet(self, command: int, arguments: dict[str, Any], data: bytes) -> None:
        """As it went to the line last."""
        self.begin()
        self.db.execute(
            "UPDATE command SET arguments = ?, data = ? WHERE id = ?",
            (json.dumps(arguments, default=str), data, command),
        )

    def add_stage(self, command: int, time: float, stage: str, success: bool, code: int | None, text: str) -> None:
        self._insert(
            "INSERT INTO stage (command, time, stage, success, code, text) VALUES (?,?,?,?,?,?)",
            (command, time, stage, int(success), code, text),
        )

    def set_command_state(self, command: int, state: str, finished: float | None = None) -> None:
        self.begin()
        self.db.execute(
            "UPDATE command SET state = ?, finished = coalesce(?, finished) WHERE id = ?", (state, finished, command)
        )

    def commands(
        self, start: float = 0.0, end: float = 1e12, *, unit: int | None = None, limit: int = 1000
    ) -> list[dict[str, Any]]:
        """The newest commands with their verification stages, oldest first."""
        rows = self._rows(
            "SELECT * FROM command WHERE time >= ? AND time < ? AND (? IS NULL OR unit = ?) ORDER BY id DESC LIMIT ?",
            (start, end, unit, unit, limit),
        )
        return [self._with_stages(row) for row in rows[::-1]]

    def command(self, number: int) -> dict[str, Any] | None:
        """One command with its verification stages."""
        rows = self._rows("SELECT * FROM command WHERE id = ?", (number,))
        return self._with_stages(rows[0]) if rows else None

    def _with_stages(self, row: dict[str, Any]) -> dict[str, Any]:
        stages = self._rows(
            "SELECT time, stage, success, code, text FROM stage WHERE command = ? ORDER BY rowid", (row["id"],)
        )
        stages = [s | {"success": bool(s["success"])} for s in stages]
        return row | {"arguments": json.loads(row["arguments"]), "stages": stages}

    def last_sequence(self, apid: int) -> int | None:
        """Sequence count of the last command sent to an APID, so that a restarted station does not repeat counts."""
        row = self.db.execute(
            "SELECT sequence FROM command WHERE apid = ? ORDER BY id DESC LIMIT 1", (apid,)
        ).fetchone()
        return None if row is None else int(row[0])

    # ------------------------------------------------------------------------------------------------------------ meta
    def get_meta(self, key: str, default: Any = None) -> Any:
        row = self.db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return default if row is None else row[0]

    def set_meta(self, key: str, value: Any) -> None:
        self.begin()
        self.db.execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value)
        )

    def forget_decoded(self) -> None:
        """Drop what was made from packets that are still here, so that another dictionary can decode them again.

        Samples whose packets were given up (retention) stay as they are.
        """
        self.begin()
        db = self.db
        db.execute("DELETE FROM event WHERE packet IN (SELECT id FROM packet)")
        for source, first in db.execute("SELECT source, min(id) FROM packet GROUP BY source").fetchall():
            blocks = "SELECT id FROM block WHERE source = ? AND packet_last >= ?"
            for sql in (
                f"DELETE FROM samples WHERE id IN (SELECT data FROM span WHERE block IN ({blocks}))",
                f"DELETE FROM span WHERE block IN ({blocks})",
                "DELETE FROM block WHERE source = ? AND packet_last >= ?",
            ):
                db.execute(sql, (source, first))
            db.execute("INSERT OR REPLACE INTO source VALUES (?, ?)", (source, first - 1))
        self.forget_cached()
