// Lambda's runtime interface for Node, as little as a benchmark needs: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"use strict";
const http = require("http");
const https = require("https");

// The handler of AwsCustomResource answers at port 443, whatever port the response URL has.
let port;
const { request } = https;
https.request = (options, taken) => request(options.method === "PUT" && options.path.startsWith("/answer") ? { ...options, port } : options, taken);

const { handler } = require(`${process.env.LAMBDA_TASK_ROOT}/index.js`);
const [hostname, api] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true });

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const sent = http.request({ hostname, port: api, method, path: `/2018-06-01/runtime/invocation/${path}`, agent }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve({ id: response.headers["lambda-runtime-aws-request-id"], body: Buffer.concat(parts) }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

(async () => {
  for (;;) {
    const { id, body } = await call("GET", "next");
    const event = JSON.parse(body);
    port = new URL(event.ResponseURL).port;
    const returned = await handler(event, { logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME });
    await call("POST", `${id}/response`, JSON.stringify(returned ?? null));
  }
})();
