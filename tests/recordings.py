"""Files as recorders write them, made by FFmpeg."""

import io
from typing import Any, cast

import av
import numpy as np
import numpy.typing as npt

CODECS = {
    "wav": "pcm_s16le",
    "mp3": "libmp3lame",
    "flac": "flac",
    "ogg": "libopus",
    "webm": "libopus",
    "mp4": "aac",
    "adts": "aac",
}
"""A codec of each container that FFmpeg writes."""


def recording(
    samples: npt.NDArray[Any], hz: int, container: str, codec: str = "", options: dict[str, str] | None = None
) -> bytes:
    """samples: (n_samples, n_channels), from -1 to 1. container, codec, options: as FFmpeg names them."""
    file = io.BytesIO()
    with av.open(file, "w", format=container, options=options or {}) as written:
        layout = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}[samples.shape[1]]
        stream = written.add_stream(codec or CODECS[container], rate=hz, layout=layout)
        written.start_encoding()
        encoder = cast(av.AudioCodecContext, stream.codec_context)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T, np.float32), "fltp", layout)
        frame.sample_rate = hz
        resampler = av.AudioResampler(encoder.format, layout, hz, encoder.frame_size or 1024)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            written.mux(stream.encode(piece))
        written.mux(stream.encode(None))
    return file.getvalue()
