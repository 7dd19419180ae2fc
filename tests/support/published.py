"""torchvision's weight files from a server on this machine, under names that fit what they hold."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from torchvision.models import get_model_weights

from support.checkpoints import mobile

MOBILE = "fasterrcnn_mobilenet_v3_large_320_fpn"


def published_bytes(state: object | None = None) -> bytes:
    """A weight file; of a tiny content unless a state dict is given."""
    buffer = io.BytesIO()
    torch.save({"weight": torch.zeros(400_000)} if state is None else state, buffer)
    return buffer.getvalue()


def small_coco_state() -> dict[str, torch.Tensor]:
    """What torchvision would publish for the small MobileNet: 91 classes, and no counters."""
    every = mobile().state_dict()
    state = {name: tensor for name, tensor in every.items() if not name.endswith("num_batches_tracked")}
    for name, rows in (("cls_score", 91), ("bbox_pred", 4 * 91)):
        for kind in ("weight", "bias"):
            tensor = state[f"roi_heads.box_predictor.{name}.{kind}"]
            state[f"roi_heads.box_predictor.{name}.{kind}"] = torch.zeros(rows, *tensor.shape[1:])
    return state


@contextmanager
def published(
    monkeypatch: pytest.MonkeyPatch,
    hub: Path,
    content: bytes,
    *,
    name: str | None = None,
    claims: int | None = None,
    says_length: bool = True,
) -> Iterator[Path]:
    """Serve `content` as the default weights of the small MobileNet; gives the place in the cache under `hub`.

    Args:
        monkeypatch: puts the address of the weights back afterwards.
        hub: the cache, empty.
        content: the file's bytes.
        name: of the file; one with the right digits unless given.
        claims: length that the server claims.
        says_length: whether it claims any.
    """

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            if says_length:
                self.send_header("Content-Length", str(claims or len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    file_name = name or f"small-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("TORCH_HOME", str(hub))
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(variable, "127.0.0.1")
    url = f"http://127.0.0.1:{server.server_port}/{file_name}"
    monkeypatch.setattr(get_model_weights(MOBILE)["DEFAULT"].value, "url", url)
    try:
        yield hub / "hub" / "checkpoints" / file_name
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
