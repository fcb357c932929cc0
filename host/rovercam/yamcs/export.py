"""A complete configuration folder for Yamcs 5.12: server, instance, processors, streams, event texts, mission database."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from pathlib import Path

from rovercam.dictionary import Dictionary
from rovercam.dictionary.xtce import ROOT, xtce
from rovercam.yamcs import places
from rovercam.yamcs.files import PDU_OFFSET

INSTANCE = "rovercam"
CUC_4_2 = 0x2E
"""P-field (301.0-B 3.2.2) of 4 bytes of seconds and 2 of fraction, from an agency-defined epoch."""


def export(
    folder: Path, dictionary: Dictionary, units: Sequence[int] = (1,), *, http: int = 8090, first: int = places.FIRST
) -> list[Path]:
    """Writes etc/ and mdb/ below ``folder``; returns the files. http: port of Yamcs's own web pages; first: of the hand-over's."""
    secret = secrets.token_hex(16)
    texts = {
        "etc/yamcs.yaml": _server(http, secret),
        f"etc/yamcs.{INSTANCE}.yaml": _instance(dictionary, units, first),
        "etc/processor.yaml": PROCESSORS,
        "etc/streams.sql": _streams(),
        "etc/events.json": _events(dictionary),
        "mdb/rovercam.xml": xtce(dictionary, units),
    }
    written = []
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    (folder / "etc/yamcs.yaml").chmod(0o600)
    return written


def _server(http: int, secret: str) -> str:
    return f"""# Run Yamcs in the folder above: `yamcsd --etc-dir etc --data-dir data`.
services:
  - class: org.yamcs.http.HttpServer
    args:
      address: {places.HOST}
      port: {http}
instances: [{INSTANCE}]
dataDir: data
secretKey: {secret}
buckets:
  - name: pictures
  - name: uplink
yamcs-web:
  tag: rovercam
"""


def _instance(dictionary: Dictionary, units: Sequence[int], first: int) -> str:
    links = "".join(_unit_links(dictionary, unit, first) for unit in units)
    remote = "".join(f"        - {{name: unit{unit}, id: {unit}}}\n" for unit in units)
    ground = int(dictionary.raw["unit"]["ground_entity"])
    preprocessor = f"""packetInputStreamClassName: org.yamcs.tctm.CcsdsPacketInputStream
    packetPreprocessorClassName: org.yamcs.pus.PusPacketPreprocessor
    packetPreprocessorArgs:
      errorDetection: {{type: NONE}}
      pktTimeOffset: 13
      timeEncoding: {{type: CUC, implicitPField: {CUC_4_2}, epoch: UNIX}}"""
    return f"""services:
  - class: org.yamcs.archive.XtceTmRecorder
    args:
      streams: [tm_realtime]
  - class: org.yamcs.archive.ParameterRecorder
  - class: org.yamcs.archive.AlarmRecorder
  - class: org.yamcs.archive.EventRecorder
  - class: org.yamcs.archive.ReplayServer
  - class: org.yamcs.archive.CommandHistoryRecorder
  - class: org.yamcs.parameterarchive.ParameterArchive
  - class: org.yamcs.ProcessorCreatorService
    args: {{name: realtime, type: realtime}}
  - class: org.yamcs.pus.PusEventDecoder
    args:
      eventIdParameter: /{ROOT}/event_id
      eventTemplateFile: etc/events.json
  - class: org.yamcs.cfdp.CfdpService
    name: cfdp
    args:
      entityIdLength: 1
      sequenceNrLength: 2
      maxPduSize: 512
      checksumType: MODULAR
      incomingBucket: pictures
      allowRemoteProvidedBucket: false
      nakTimeout: 2000
      eofAckTimeout: 5000
      inactivityTimeout: 60000
      sleepBetweenPdus: 20
      localEntities:
        # Without a bucket of its own, what comes goes to incomingBucket.
        - {{name: ground, id: {ground}}}
      remoteEntities:
{remote}
dataLinks:
  - name: telemetry
    class: org.yamcs.tctm.TcpTmDataLink
    stream: tm_realtime
    host: {places.HOST}
    port: {first}
    {preprocessor}
  # PDUs stand behind the same report header as telemetry, with the time when they were made: packets need a time of their own.
  - name: files
    class: org.yamcs.tctm.TcpTcTmDataLink
    tmStream: tm_files
    tcStream: tc_files
    host: {places.HOST}
    port: {first + places.FILES}
    {preprocessor}
    commandPostprocessorClassName: org.yamcs.tctm.GenericCommandPostprocessor
{links}
mdb:
  - {{type: xtce, spec: mdb/rovercam.xml}}
streamConfig:
  tm:
    - {{name: tm_realtime, processor: realtime}}
    - {{name: tm_files}}
  tc:
    - {{name: tc_realtime, processor: realtime}}
    - {{name: tc_files}}
  invalidTm: invalid_tm_stream
  cmdHist: [cmdhist_realtime, cmdhist_dump]
  event: [events_realtime, events_dump]
  param: [pp_realtime, sys_param, proc_param]
  parameterAlarm: [alarms_realtime]
  eventAlarm: [event_alarms_realtime]
  sqlFile: etc/streams.sql
"""


def _unit_links(dictionary: Dictionary, unit: int, first: int) -> str:
    """The unit's telecommand link with FOP-1, and the one that brings its control words."""
    scid = dictionary.scid(unit)
    return f"""  - name: commands-unit{unit}
    class: org.yamcs.tctm.ccsds.UdpTcFrameLink
    host: {places.HOST}
    port: {first + places.COMMANDS}
    spacecraftId: {scid}
    maxFrameLength: 512
    cltuEncoding: BCH
    randomizeCltu: false
    errorDetection: CRC16
    virtualChannels:
      - vcId: 0
        service: PACKET
        commandPostprocessorClassName: org.yamcs.pus.PusCommandPostprocessor
        commandPostprocessorArgs:
          errorDetection: {{type: NONE}}
        stream: tc_realtime
        useCop1: true
        clcwStream: clcw_unit{unit}
        initialClcwWait: 3600
        slidingWindowWidth: 16
        cop1T1: 10
        multiplePacketsPerFrame: false
  - name: control-words-unit{unit}
    class: org.yamcs.tctm.ccsds.UdpTmFrameLink
    port: {first + places.CONTROL_WORDS + unit}
    frameType: TM
    spacecraftId: {scid}
    frameLength: {places.CONTROL_FRAME}
    errorDetection: CRC16
    clcwStream: clcw_unit{unit}
    virtualChannels:
      - vcId: 7
        ocfPresent: true
        service: PACKET
        maxPacketLength: 1024
        packetPreprocessorClassName: org.yamcs.pus.PusPacketPreprocessor
        packetPreprocessorArgs:
          errorDetection: {{type: NONE}}
        stream: tm_files
"""


def _streams() -> str:
    return f"""create stream cfdp_in as select substring(packet, {PDU_OFFSET}) as pdu from tm_files
create stream cfdp_out (gentime TIMESTAMP, entityId long, seqNum int, pdu binary)
insert into tc_files select gentime, 'cfdp-service' as origin, seqNum, '/yamcs/cfdp/upload' as cmdName, pdu as binary from cfdp_out
"""


def _events(dictionary: Dictionary) -> str:
    """Texts by event name; {field} becomes the parameter that carries the field."""
    texts = []
    for event in dictionary.events.values():
        template = event.text
        for field in event.fields:
            template = template.replace(f"{{{field.name}}}", f"{{{event.name}_{field.name}}}")
        texts.append({"eventId": event.name, "template": template})
    texts.append(
        {
            "eventId": "picture_received",
            "template": "Picture {picture_received_product} of unit {picture_received_source_unit} received:"
            " {picture_received_width}×{picture_received_height}, {picture_received_url}",
        }
    )
    return json.dumps(texts, indent=1, ensure_ascii=False) + "\n"


PROCESSORS = """realtime:
  services:
    - class: org.yamcs.StreamTmPacketProvider
    - class: org.yamcs.StreamTcCommandReleaser
    - class: org.yamcs.tctm.StreamParameterProvider
    - class: org.yamcs.algorithms.AlgorithmManager
    - class: org.yamcs.parameter.LocalParameterManager
  config:
    subscribeAll: true
    alarm:
      parameterCheck: true
      parameterServer: enabled
      eventServer: enabled
    tmProcessor:
      # A verification report leaves out its failure detail when there is nothing to say.
      ignoreOutOfContainerEntries: true
Archive:
  services:
    - class: org.yamcs.tctm.ReplayService
    - class: org.yamcs.algorithms.AlgorithmManager
ParameterArchive:
  services:
    - class: org.yamcs.tctm.ReplayService
    - class: org.yamcs.algorithms.AlgorithmManager
ArchiveRetrieval:
  config:
    subscribeContainerArchivePartitions: false
  services:
    - class: org.yamcs.tctm.ReplayService
    - class: org.yamcs.algorithms.AlgorithmManager
"""
