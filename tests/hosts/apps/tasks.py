"""Celery, whose broker is a folder."""

import os

import asking
from celery import Celery

folder = os.environ["BROKER"]
app = Celery("tasks", broker="filesystem://", backend=f"file://{folder}/results")
app.conf.broker_transport_options = {
    "data_folder_in": f"{folder}/queue",
    "data_folder_out": f"{folder}/queue",
    "control_folder": f"{folder}/control",
}
app.conf.worker_hijack_root_logger = False


@app.task
def whole():
    return asking.whole()


@app.task
def stream():
    return "".join(asking.pieces("Go on."))
