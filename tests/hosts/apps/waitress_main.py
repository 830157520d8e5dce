"""Serves the Flask application under waitress, on the socket that it is given."""

import socket
import sys

import waitress
from wsgi import app

waitress.serve(app, sockets=[socket.socket(fileno=int(sys.argv[1]))], threads=16)
