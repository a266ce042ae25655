"use strict";
// The Node.js runtime: loads a handler and feeds it the events of the Lambda Runtime API.
// It supports CommonJS and ES modules, async and callback handlers, and streamed responses.

const fs = require("fs");
const http = require("http");
const path = require("path");
const util = require("util");
const { pathToFileURL } = require("url");

const API = "/2018-06-01/runtime/";
const FRAME_TEXT = 0xa55a0003;
const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

let requestId = "";

class Fault extends Error {
  constructor(type, message) {
    super(message);
    this.name = type;
  }
}

function request(method, where, headers, body) {
  return new Promise((resolve, reject) => {
    const options = { host, port, agent, method, path: API + where, headers };
    const sending = http.request(options, (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("end", () => {
        resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks) });
      });
      answer.on("error", reject);
    });
    sending.on("error", reject);
    sending.end(body);
  });
}

// Writes a message of several lines as one log event.
function writeFrame(text) {
  const message = Buffer.from(text);
  const frame = Buffer.alloc(16 + message.length);
  frame.writeUInt32BE(FRAME_TEXT, 0);
  frame.writeUInt32BE(message.length, 4);
  frame.writeBigInt64BE(BigInt(Date.now()) * 1000n, 8);
  message.copy(frame, 16);
  for (let written = 0; written < frame.length; ) {
    try {
      written += fs.writeSync(1, frame, written);
    } catch (error) {
      if (error.code !== "EAGAIN") {
        throw error;
      }
    }
  }
}

function log(level, format, ...values) {
  const message = util.format(format, ...values);
  writeFrame(`${new Date().toISOString()}\t${requestId || "undefined"}\t${level}\t${message}\n`);
}

function patchConsole() {
  const levels = { log: "INFO", info: "INFO", debug: "DEBUG", warn: "WARN", error: "ERROR", trace: "TRACE", fatal: "FATAL" };
  for (const [name, level] of Object.entries(levels)) {
    console[name] = (...values) => log(level, ...values);
  }
}

// The error document that callers get.
function describe(error) {
  if (util.types.isNativeError(error) || error instanceof Error) {
    const trace = typeof error.stack === "string" ? error.stack.split("\n") : [];
    return { errorType: error.name, errorMessage: error.message, trace };
  }
  return { errorType: typeof error, errorMessage: String(error), trace: [] };
}

// What the log shows of an error: its document, and whatever else the error carries.
function errorLine(error) {
  if (!(error instanceof Error)) {
    return util.inspect(error);
  }
  const { errorType, errorMessage, trace } = describe(error);
  const shown = { errorType, errorMessage, ...error, stack: trace };
  try {
    return JSON.stringify(shown);
  } catch {
    return JSON.stringify({ errorType, errorMessage, stack: trace });
  }
}

async function postError(where, error) {
  const document = describe(error);
  const headers = {
    "Content-Type": "application/vnd.aws.lambda.error+json",
    "Lambda-Runtime-Function-Error-Type": encodeURI(document.errorType),
  };
  await request("POST", where, headers, JSON.stringify(document));
}

function isFile(name) {
  return fs.statSync(name, { throwIfNoEntry: false })?.isFile() === true;
}

async function loadModule(root, name) {
  const base = path.resolve(root, name);
  for (const extension of ["", ".js", ".mjs", ".cjs"]) {
    const file = base + extension;
    if (!isFile(file)) {
      continue;
    }
    if (extension === ".mjs" || (extension === ".js" && isModule(path.dirname(file)))) {
      return import(pathToFileURL(file).href);
    }
    return require(file);
  }
  if (isFile(path.join(base, "index.mjs"))) {
    return import(pathToFileURL(path.join(base, "index.mjs")).href);
  }
  return require(require.resolve(name, { paths: [root, ...(process.env.NODE_PATH || "").split(":")] }));
}

// True if the nearest package.json says that .js files are ES modules.
function isModule(folder) {
  for (let at = folder; ; at = path.dirname(at)) {
    const file = path.join(at, "package.json");
    if (isFile(file)) {
      try {
        return JSON.parse(fs.readFileSync(file, "utf8")).type === "module";
      } catch {
        return false;
      }
    }
    if (at === path.dirname(at) || path.basename(at) === "node_modules") {
      return false;
    }
  }
}

async function loadHandler(root, full) {
  if (full.includes("..")) {
    throw new Fault("Runtime.MalformedHandlerName", `'${full}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`);
  }
  const split = path.basename(full).match(/^([^.]*)\.(.*)$/);
  if (!split) {
    throw new Fault("Runtime.MalformedHandlerName", "Bad handler");
  }
  const name = path.join(path.dirname(full), split[1]);
  let loaded;
  try {
    loaded = await loadModule(root, name);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw Object.assign(new Fault("Runtime.UserCodeSyntaxError", String(error)), { stack: error.stack });
    }
    if (error && (error.code === "MODULE_NOT_FOUND" || error.code === "ERR_MODULE_NOT_FOUND")) {
      throw Object.assign(new Fault("Runtime.ImportModuleError", String(error)), { stack: error.stack });
    }
    throw error;
  }
  const handler = split[2].split(".").reduce((nested, key) => nested && nested[key], loaded)
    // A CommonJS file with an ES module's default export.
    || split[2].split(".").reduce((nested, key) => nested && nested[key], loaded && loaded.default);
  if (!handler) {
    throw new Fault("Runtime.HandlerNotFound", `${full} is undefined or not exported`);
  }
  if (typeof handler !== "function") {
    throw new Fault("Runtime.HandlerNotFound", `${full} is not a function`);
  }
  return handler;
}

const DELIMITER = Buffer.alloc(8);

globalThis.awslambda = {
  streamifyResponse(handler, options) {
    handler[STREAMING] = "response";
    if (options && typeof options.highWaterMark === "number") {
      handler.highWaterMark = options.highWaterMark;
    }
    return handler;
  },
  HttpResponseStream: {
    // Sends status and headers ahead of the body.
    from(stream, prelude) {
      stream.setContentType("application/vnd.awslambda.http-integration-response");
      stream._beforeFirstWrite = (write) => {
        write(JSON.stringify(prelude));
        write(DELIMITER);
      };
      return stream;
    },
  },
};

// A writable stream whose request begins with its first write.
function responseStream(id) {
  let ended;
  const done = new Promise((resolve, reject) => (ended = { resolve, reject }));
  const sending = http.request(
    {
      host, port, agent, method: "POST", path: `${API}invocation/${id}/response`,
      headers: {
        "Content-Type": "application/octet-stream",
        "Lambda-Runtime-Function-Response-Mode": "streaming",
        "Transfer-Encoding": "chunked",
        Trailer: "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
      },
    },
    (answer) => {
      answer.resume();
      answer.on("end", ended.resolve);
    },
  );
  sending.on("error", ended.reject);
  sending.setContentType = (type) => sending.setHeader("Content-Type", type);
  const write = sending.write.bind(sending);
  sending.write = (chunk, encoding, callback) => {
    const first = sending._beforeFirstWrite;
    if (first) {
      delete sending._beforeFirstWrite;
      first(write);
    }
    const plain = typeof chunk === "string" || chunk instanceof Uint8Array;
    return write(plain ? chunk : JSON.stringify(chunk), encoding, callback);
  };
  const end = sending.end.bind(sending);
  sending.end = (chunk, encoding, callback) => {
    if (chunk !== undefined && chunk !== null && typeof chunk !== "function") {
      sending.write(chunk, typeof encoding === "string" ? encoding : undefined);
      chunk = undefined;
    } else if (sending._beforeFirstWrite) {
      sending.write("");
    }
    return end(typeof chunk === "function" ? chunk : callback);
  };
  return { stream: sending, done };
}

async function handleStreaming(handler, event, context, id) {
  const { stream, done } = responseStream(id);
  try {
    await handler(event, stream, context);
    if (!stream.writableEnded) {
      stream.end();
    }
  } catch (error) {
    log("ERROR", "Invoke Error \t%s", errorLine(error));
    if (!stream.headersSent) {
      stream.destroy();
      done.catch(() => {});
      return postError(`invocation/${id}/error`, error);
    }
    const document = describe(error);
    stream.addTrailers({
      "Lambda-Runtime-Function-Error-Type": encodeURI(document.errorType),
      "Lambda-Runtime-Function-Error-Body": Buffer.from(JSON.stringify(document)).toString("base64"),
    });
    stream.end();
  }
  await done;
}

function contextOf(headers) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  const parse = (name) => (headers[name] ? JSON.parse(headers[name]) : undefined);
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: parse("lambda-runtime-client-context"),
    identity: parse("lambda-runtime-cognito-identity"),
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

// Runs a handler of either style. A callback's result waits until the event loop is empty, unless told otherwise.
function run(handler, event, context) {
  return new Promise((resolve, reject) => {
    let called = false;
    const finish = (error, result) => {
      const settle = () => (error !== undefined && error !== null ? reject(error) : resolve(result));
      if (called) {
        return;
      }
      called = true;
      process.removeListener("beforeExit", idle);
      if (context.callbackWaitsForEmptyEventLoop) {
        process.once("beforeExit", settle);
      } else {
        settle();
      }
    };
    // The event loop ran empty without a result.
    const idle = () => {
      if (handler.constructor.name === "AsyncFunction") {
        reject(new Fault("Runtime.NodeJsExit", "The handler's promise was never settled"));
      } else {
        resolve(null);
      }
    };
    process.once("beforeExit", idle);
    context.succeed = (result) => finish(null, result);
    context.fail = (error) => finish(error === undefined || error === null ? "handled" : error);
    context.done = finish;
    const returned = handler(event, context, finish);
    if (returned && typeof returned.then === "function") {
      const settled = (settle) => (value) => {
        process.removeListener("beforeExit", idle);
        settle(value);
      };
      returned.then(settled(resolve), settled(reject));
    }
  });
}

async function handle(handler, headers, payload) {
  const id = headers["lambda-runtime-aws-request-id"];
  requestId = id;
  if (headers["lambda-runtime-trace-id"]) {
    process.env._X_AMZN_TRACE_ID = headers["lambda-runtime-trace-id"];
  } else {
    delete process.env._X_AMZN_TRACE_ID;
  }
  let body;
  try {
    const event = JSON.parse(payload.toString("utf8"));
    const context = contextOf(headers);
    if (handler[STREAMING]) {
      return await handleStreaming(handler, event, context, id);
    }
    const result = await run(handler, event, context);
    try {
      body = JSON.stringify(result === undefined ? null : result);
    } catch {
      throw new Error("Unable to stringify response body");
    }
  } catch (error) {
    log("ERROR", "Invoke Error \t%s", errorLine(error));
    return postError(`invocation/${id}/error`, error);
  }
  await request("POST", `invocation/${id}/response`, { "Content-Type": "application/json" }, body);
}

// An error that no handler caught ends the process, after it has been reported.
function reportUncaught(kind, code, wrap) {
  process.on(kind, (error) => {
    const wrapped = wrap(error);
    log("ERROR", "%s \t%s", kind === "uncaughtException" ? "Uncaught Exception" : "Unhandled Promise Rejection", errorLine(wrapped));
    const where = requestId ? `invocation/${requestId}/error` : "init/error";
    postError(where, wrapped).catch(() => {}).then(() => process.exit(code));
  });
}

function rejection(reason) {
  const fault = new Fault("Runtime.UnhandledPromiseRejection", String(reason));
  fault.reason = reason;
  fault.promise = {};
  return fault;
}

async function main() {
  patchConsole();
  reportUncaught("uncaughtException", 129, (error) => error);
  reportUncaught("unhandledRejection", 128, rejection);
  let handler;
  try {
    handler = await loadHandler(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);
  } catch (error) {
    log("ERROR", "Uncaught Exception \t%s", errorLine(error));
    await postError("init/error", error);
    process.exit(1);
  }
  for (;;) {
    const next = await request("GET", "invocation/next");
    if (next.status !== 200) {
      process.exit(1);
    }
    await handle(handler, next.headers, next.body);
  }
}

main().catch((error) => {
  log("ERROR", "%s", errorLine(error));
  process.exit(1);
});
