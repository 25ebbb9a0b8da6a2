"""GStreamer's webrtcbin as Debian has it: URL QUESTION.wav BUNDLE_POLICY CODEC ("opus" or "PCMU").

Run with the system's Python, which has GObject's bindings. Prints what it saw, as the JavaScript peers do.
"""

import json
import os
import sys
import threading
import urllib.error
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

WITHIN_S = 30.0
HEARD_ENOUGH_MS = 1_500
LOUD = 1_000
LISTENED_HZ = 16_000
ENCODERS = {
    "opus": "opusenc ! rtpopuspay pt=111 ! application/x-rtp,media=audio,encoding-name=OPUS,payload=111",
    "PCMU": "mulawenc ! rtppcmupay pt=0 ! application/x-rtp,media=audio,encoding-name=PCMU,payload=0",
}
DECODERS = {"opus": "rtpopusdepay ! opusdec", "PCMU": "rtppcmudepay ! mulawdec"}


class Caller:
    def __init__(self, url: str, wav: str, policy: str, codec: str) -> None:
        self.seen = {"events": [], "errors": [], "heard_ms": 0.0, "refused": ""}
        self.is_over = threading.Event()
        self._url = url
        self._decoder = DECODERS[codec]
        self._pipeline = Gst.parse_launch(
            f"webrtcbin name=call bundle-policy={policy} "
            f"filesrc location={wav} ! wavparse ! audioconvert ! audioresample ! identity sync=true ! "
            f"{ENCODERS[codec]} ! call."
        )
        self._call = self._pipeline.get_by_name("call")
        self._call.connect("pad-added", self._hear)
        self._call.connect("notify::ice-gathering-state", self._gathered)

    def begin(self) -> None:
        self._pipeline.set_state(Gst.State.READY)
        self._channel = self._call.emit("create-data-channel", "oai-events", None)
        self._channel.connect("on-message-string", self._came)
        self._call.connect("on-negotiation-needed", self._negotiate)
        self._pipeline.set_state(Gst.State.PLAYING)

    def _negotiate(self, call: Gst.Element) -> None:
        call.emit("create-offer", None, Gst.Promise.new_with_change_func(self._offered))

    def _offered(self, promise: Gst.Promise) -> None:
        reply = promise.get_reply()  # it owns the offer, so it has to live as long
        self._call.emit("set-local-description", reply.get_value("offer"), Gst.Promise.new())

    def _gathered(self, call: Gst.Element, _: object) -> None:
        if call.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            threading.Thread(target=self._post, name="offer", daemon=True).start()

    def _post(self) -> None:
        offer = self._call.get_property("local-description").sdp.as_text()
        request = urllib.request.Request(self._url, offer.encode(), {"Content-Type": "application/sdp"})
        try:
            with urllib.request.urlopen(request, timeout=WITHIN_S) as response:
                text = response.read().decode()
        except urllib.error.HTTPError as refused:
            self.seen["refused"] = refused.read().decode()
            self.is_over.set()
            return
        _, read = GstSdp.SDPMessage.new_from_text(text)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, read)
        self._call.emit("set-remote-description", answer, Gst.Promise.new())

    def _came(self, _: object, text: str) -> None:
        event = json.loads(text)
        self.seen["events"].append(event["type"])
        if event["type"] == "error":
            self.seen["errors"].append(event["error"]["code"])
        self._look()

    def _hear(self, _: object, pad: Gst.Pad) -> None:
        if pad.direction != Gst.PadDirection.SRC:
            return
        shape = f"audio/x-raw,format=S16LE,channels=1,rate={LISTENED_HZ}"
        loudspeaker = Gst.parse_bin_from_description(
            f"queue ! {self._decoder} ! audioconvert ! audioresample ! {shape} ! "
            "appsink name=sound emit-signals=true sync=false",
            True,
        )
        loudspeaker.get_by_name("sound").connect("new-sample", self._sound)
        self._pipeline.add(loudspeaker)
        loudspeaker.sync_state_with_parent()
        pad.link(loudspeaker.get_static_pad("sink"))

    def _sound(self, sink: Gst.Element) -> Gst.FlowReturn:
        buffer = sink.emit("pull-sample").get_buffer()
        samples = memoryview(buffer.extract_dup(0, buffer.get_size())).cast("h")
        if samples and max(map(abs, samples)) > LOUD:
            self.seen["heard_ms"] += len(samples) * 1000 / LISTENED_HZ
            self._look()
        return Gst.FlowReturn.OK

    def _look(self) -> None:
        if "response.done" in self.seen["events"] and self.seen["heard_ms"] >= HEARD_ENOUGH_MS:
            self.is_over.set()


Gst.init(None)
loop = GLib.MainLoop()
threading.Thread(target=loop.run, name="main loop", daemon=True).start()
caller = Caller(*sys.argv[1:5])
caller.begin()
caller.is_over.wait(WITHIN_S)
print(json.dumps(caller.seen), flush=True)
# The streaming threads still call into Python: an interpreter that shuts down under them may crash.
os._exit(0)
