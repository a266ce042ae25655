"""The Python runtime: loads a handler and feeds it the events of the Lambda Runtime API.

It works on Python 3.8 and later and imports little, because every cold start pays for each import.
"""

import _socket
import builtins
import json
import os
import sys
import time

FRAME_TEXT = 0xA55A0003
API = "/2018-06-01/runtime/"


class Client:
    """A keep-alive HTTP/1.1 client for one IPv4 address; http.client and socket would double the start time."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.host = address
        self.socket = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        self.socket.connect((host, int(port)))
        self.socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        os.set_inheritable(self.socket.fileno(), False)
        self.buffer = b""

    def receive(self):
        data = self.socket.recv(1 << 18)
        if not data:
            # The server is gone, and with it every reason to run.
            os._exit(1)
        return data

    def read_line(self):
        while b"\n" not in self.buffer:
            self.buffer += self.receive()
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.rstrip(b"\r")

    def read(self, length):
        parts, missing = [self.buffer], length - len(self.buffer)
        while missing > 0:
            parts.append(self.receive())
            missing -= len(parts[-1])
        whole = b"".join(parts)
        self.buffer = whole[length:]
        return whole[:length]

    def request(self, method, path, body=b"", headers=()):
        lines = ["%s %s%s HTTP/1.1" % (method, API, path), "Host: " + self.host]
        lines += ["%s: %s" % header for header in headers]
        lines.append("Content-Length: %d\r\n\r\n" % len(body))
        self.socket.sendall("\r\n".join(lines).encode("utf-8") + body)
        status = self.read_line()
        answer = {}
        while True:
            line = self.read_line()
            if not line:
                break
            name, _, value = line.partition(b":")
            answer[name.decode("latin-1").lower()] = value.strip().decode("utf-8", "replace")
        payload = self.read(int(answer.get("content-length", 0)))
        return int(status.split(b" ", 2)[1]), answer, payload

    def post_error(self, path, error):
        body = encode(error).encode("utf-8", "surrogatepass")
        headers = [
            ("Content-Type", "application/vnd.aws.lambda.error+json"),
            ("Lambda-Runtime-Function-Error-Type", error["errorType"]),
        ]
        self.request("POST", path, body, headers)


class Identity:
    def __init__(self, identity):
        self.cognito_identity_id = identity.get("cognitoIdentityId")
        self.cognito_identity_pool_id = identity.get("cognitoIdentityPoolId")

    def __repr__(self):
        return "CognitoIdentity([%s])" % vars(self)


class ClientOf:
    def __init__(self, client):
        for name in ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"):
            setattr(self, name, client.get(name))


class ClientContext:
    def __init__(self, context):
        client = context.get("client")
        self.client = ClientOf(client) if client is not None else None
        self.custom = context.get("custom")
        self.env = context.get("env")


class Context:
    """The handler's second argument."""

    def __init__(self, headers):
        self.aws_request_id = headers.get("lambda-runtime-aws-request-id")
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.tenant_id = None
        client_context = headers.get("lambda-runtime-client-context")
        self.client_context = ClientContext(json.loads(client_context)) if client_context else None
        self.identity = Identity(json.loads(headers.get("lambda-runtime-cognito-identity") or "{}"))
        self._epoch_deadline_time_in_ms = int(headers.get("lambda-runtime-deadline-ms", 0))

    def get_remaining_time_in_millis(self):
        return max(self._epoch_deadline_time_in_ms - int(time.time() * 1000), 0)

    def log(self, message):
        sys.stdout.write(str(message))

    def __repr__(self):
        return "LambdaContext([%s])" % ", ".join("%s=%s" % item for item in vars(self).items())


class Fault(Exception):
    """Initialisation failed in a way that AWS has a name for."""

    def __init__(self, error_type, message, trace=()):
        super().__init__(message)
        self.error_type = error_type
        self.trace = list(trace)


def write_frame(message):
    """Writes a message of several lines as one log event."""
    sys.stdout.flush()
    data = message.encode("utf-8", "backslashreplace")
    frame = (
        FRAME_TEXT.to_bytes(4, "big")
        + len(data).to_bytes(4, "big")
        + int(time.time() * 1000000).to_bytes(8, "big")
        + data
    )
    while frame:
        frame = frame[os.write(1, frame):]


def encode_other(value):
    # AWS's runtime returns DynamoDB's numbers as JSON numbers.
    decimal = sys.modules.get("decimal")
    if decimal is not None and isinstance(value, decimal.Decimal):
        return float(value)
    raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)


def encode(value):
    return json.dumps(value, default=encode_other, ensure_ascii=False)


def describe(error, request_id):
    """The error document of an exception, without the frames of this file."""
    if isinstance(error, Fault):
        error_type, trace = error.error_type, error.trace
    else:
        import traceback

        frames = traceback.extract_tb(error.__traceback__)
        while frames and (frames[0].filename == __file__ or frames[0].filename.startswith("<frozen importlib")):
            del frames[0]
        error_type, trace = type(error).__name__, traceback.format_list(frames)
    return {"errorMessage": str(error), "errorType": error_type, "requestId": request_id, "stackTrace": trace}


def log_error(document):
    lines = ["[ERROR] "]
    if document["errorType"]:
        lines[0] += document["errorType"]
        if document["errorMessage"]:
            lines[0] += ": "
    lines[0] += document["errorMessage"]
    if document["stackTrace"]:
        lines.append("Traceback (most recent call last):")
        lines += [line.rstrip("\n") for line in document["stackTrace"]]
    write_frame("\n".join(lines) + "\n")


def load_handler(name):
    try:
        module_name, handler_name = name.rsplit(".", 1)
    except ValueError as error:
        raise Fault("Runtime.MalformedHandlerName", "Bad handler '%s': %s" % (name, error))
    if module_name.split(".")[0] in sys.builtin_module_names:
        message = "Cannot use built-in module %s as a handler module" % module_name
        raise Fault("Runtime.BuiltInModuleConflict", message)
    module_name = module_name.replace("/", ".")
    try:
        __import__(module_name)
        module = sys.modules[module_name]
    except ImportError as error:
        message = "Unable to import module '%s': %s" % (module_name, error)
        raise Fault("Runtime.ImportModuleError", message)
    except SyntaxError as error:
        trace = ['  File "%s" Line %s\n    %s' % (error.filename, error.lineno, (error.text or "").rstrip())]
        message = "Syntax error in module '%s': %s" % (module_name, error)
        raise Fault("Runtime.UserCodeSyntaxError", message, trace)
    try:
        return getattr(module, handler_name)
    except AttributeError:
        message = "Handler '%s' missing on module '%s'" % (handler_name, module_name)
        raise Fault("Runtime.HandlerNotFound", message)


class LoggingHook:
    """Sets logging up as AWS does, at the moment that somebody imports it."""

    request_id = ""

    def find_spec(self, name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        import importlib.util

        spec = importlib.util.find_spec("logging")
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            install_logging(module)

        spec.loader.exec_module = exec_module
        return spec


def install_logging(logging):
    class Handler(logging.Handler):
        def emit(self, record):
            try:
                write_frame(self.format(record))
            except Exception:
                self.handleError(record)

    class Filter(logging.Filter):
        def filter(self, record):
            record.aws_request_id = LoggingHook.request_id
            return True

    logging.Formatter.converter = time.gmtime
    handler = Handler()
    handler.setFormatter(
        logging.Formatter(
            "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n", "%Y-%m-%dT%H:%M:%S"
        )
    )
    handler.addFilter(Filter())
    logging.getLogger().addHandler(handler)


def set_paths():
    """Task root first, then the layers, the standard library, and last the SDK that AWS's runtime carries."""
    task, runtime, opt = os.environ["LAMBDA_TASK_ROOT"], os.environ["LAMBDA_RUNTIME_DIR"], os.environ["FOGBANK_OPT"]
    sdk = os.environ.pop("FOGBANK_PYTHON_SDK", "")
    del os.environ["FOGBANK_OPT"]
    version = "python%d.%d" % sys.version_info[:2]
    first = [task, os.path.join(opt, "python", "lib", version, "site-packages"), os.path.join(opt, "python")]
    rest = [path for path in sys.path if path not in ("", runtime) and path not in first]
    sys.path[:] = first + rest + ([sdk] if sdk else []) + [runtime]
    # `site` is not loaded; these two are what functions use of it.
    builtins.exit = builtins.quit = sys.exit


def set_streams():
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)


def flush():
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except ValueError:
        # The function has closed the stream.
        pass


def handle(client, handler, headers, payload):
    request_id = headers.get("lambda-runtime-aws-request-id", "")
    LoggingHook.request_id = request_id
    if "lambda-runtime-trace-id" in headers:
        os.environ["_X_AMZN_TRACE_ID"] = headers["lambda-runtime-trace-id"]
    path = "invocation/" + request_id
    try:
        try:
            event = json.loads(payload)
        except Exception as error:
            raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % error)
        result = handler(event, Context(headers))
        try:
            body = encode(result).encode("utf-8")
        except Exception as error:
            raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % error)
    except Exception as error:
        document = describe(error, request_id)
        log_error(document)
        client.post_error(path + "/error", document)
        return
    flush()
    client.request("POST", path + "/response", body, [("Content-Type", "application/json")])


def main():
    set_paths()
    set_streams()
    sys.meta_path.insert(0, LoggingHook())
    client = Client(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        handler = load_handler(os.environ["_HANDLER"])
    except Exception as error:
        document = describe(error, "")
        log_error(document)
        client.post_error("init/error", document)
        flush()
        os._exit(1)
    while True:
        flush()
        status, headers, payload = client.request("GET", "invocation/next")
        if status != 200:
            os._exit(1)
        handle(client, handler, headers, payload)
