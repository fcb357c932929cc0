"""Tables of the archive. Times are POSIX seconds (REAL) in rows, and whole microseconds in blocks of samples.

Raw before derived: `frame`, `command` and `piece` hold what cannot be had again; `packet` is made from frames and
everything else from packets, so a newer dictionary decodes the past again (Archive.forget_decoded, station.redecode).
"""

VERSION = 1

TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;

-- Every transfer frame received whole (after correction), as it was decoded.
CREATE TABLE IF NOT EXISTS frame (
  id INTEGER PRIMARY KEY, received REAL NOT NULL, port TEXT NOT NULL, unit INTEGER NOT NULL, channel INTEGER NOT NULL,
  corrected INTEGER NOT NULL, data BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS frame_received ON frame (received);

-- Space packets of live telemetry. time: generation (unit's clock once it is set and correlated, else reception).
-- source: unit << 24 | service << 16 | subtype << 8 | structure; body: where the source data start.
CREATE TABLE IF NOT EXISTS packet (
  id INTEGER PRIMARY KEY, frame INTEGER, time REAL NOT NULL, received REAL NOT NULL, unit INTEGER NOT NULL,
  apid INTEGER NOT NULL, sequence INTEGER NOT NULL, source INTEGER NOT NULL, body INTEGER NOT NULL, data BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS packet_source ON packet (source, id);
CREATE INDEX IF NOT EXISTS packet_time ON packet (time);

-- Housekeeping structures as they were in force (made by command, or of another dictionary version).
CREATE TABLE IF NOT EXISTS structure (
  unit INTEGER NOT NULL, id INTEGER NOT NULL, since REAL NOT NULL, parameters TEXT NOT NULL,
  PRIMARY KEY (unit, id, since)) WITHOUT ROWID;

-- Samples: packets of one source, folded by the thousand into columns; those after `folded` are decoded when asked.
CREATE TABLE IF NOT EXISTS source (source INTEGER PRIMARY KEY, folded INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS series (
  id INTEGER PRIMARY KEY, unit INTEGER NOT NULL, name TEXT NOT NULL, UNIQUE (unit, name));
CREATE TABLE IF NOT EXISTS block (
  id INTEGER PRIMARY KEY, source INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, n INTEGER NOT NULL,
  packet_first INTEGER NOT NULL, packet_last INTEGER NOT NULL, times BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS block_source ON block (source, packet_last);
CREATE TABLE IF NOT EXISTS span (
  series INTEGER NOT NULL, t1 INTEGER NOT NULL, block INTEGER NOT NULL, t0 INTEGER NOT NULL, n INTEGER NOT NULL,
  lo NUMERIC, hi NUMERIC, t_lo INTEGER, t_hi INTEGER, data INTEGER NOT NULL,
  PRIMARY KEY (series, t1, block)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS samples (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, data BLOB NOT NULL);

CREATE TABLE IF NOT EXISTS event (
  id INTEGER PRIMARY KEY, packet INTEGER, time REAL NOT NULL, received REAL NOT NULL, unit INTEGER NOT NULL,
  number INTEGER NOT NULL, name TEXT NOT NULL, severity TEXT NOT NULL, text TEXT NOT NULL, fields TEXT NOT NULL,
  acknowledged TEXT);
CREATE INDEX IF NOT EXISTS event_time ON event (time);

-- Commands: who sent what, and what became of it.
CREATE TABLE IF NOT EXISTS command (
  id INTEGER PRIMARY KEY, time REAL NOT NULL, unit INTEGER NOT NULL, name TEXT NOT NULL, arguments TEXT NOT NULL,
  sender TEXT NOT NULL, apid INTEGER NOT NULL, sequence INTEGER NOT NULL, data BLOB NOT NULL, state TEXT NOT NULL,
  finished REAL);
CREATE INDEX IF NOT EXISTS command_time ON command (time);
CREATE TABLE IF NOT EXISTS stage (
  command INTEGER NOT NULL, time REAL NOT NULL, stage TEXT NOT NULL, success INTEGER NOT NULL, code INTEGER,
  text TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS stage_command ON stage (command);

-- Files on their way and arrived. (sender, number) is the CFDP transaction: numbers come again one day, so only one
-- row at a time is live. state: JSON of the file transfer entity.
CREATE TABLE IF NOT EXISTS transfer (
  id INTEGER PRIMARY KEY, unit INTEGER NOT NULL, sender INTEGER NOT NULL, number INTEGER NOT NULL, began REAL NOT NULL,
  name TEXT NOT NULL DEFAULT '', target TEXT NOT NULL DEFAULT '', size INTEGER, received INTEGER NOT NULL DEFAULT 0,
  status TEXT NOT NULL DEFAULT 'active', finished REAL, checksum INTEGER, state TEXT NOT NULL DEFAULT '',
  live INTEGER NOT NULL DEFAULT 1, content BLOB);
CREATE UNIQUE INDEX IF NOT EXISTS transfer_live ON transfer (sender, number) WHERE live;
CREATE TABLE IF NOT EXISTS piece (
  transfer INTEGER NOT NULL, offset INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (transfer, offset)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS repair (
  transfer INTEGER NOT NULL, generation INTEGER NOT NULL, number INTEGER NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY (transfer, generation, number)) WITHOUT ROWID;

-- Pictures and other products; layers are transfers.
CREATE TABLE IF NOT EXISTS product (
  id INTEGER PRIMARY KEY, unit INTEGER NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL, began REAL NOT NULL,
  updated REAL NOT NULL, state TEXT NOT NULL, width INTEGER, height INTEGER, depth INTEGER, channels INTEGER,
  fields TEXT NOT NULL DEFAULT '{}');
CREATE INDEX IF NOT EXISTS product_number ON product (unit, number);
CREATE TABLE IF NOT EXISTS layer (
  product INTEGER NOT NULL, layer INTEGER NOT NULL, transfer INTEGER NOT NULL, PRIMARY KEY (product, layer, transfer))
  WITHOUT ROWID;
"""
