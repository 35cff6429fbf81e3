// A receiver of Meridian's webhooks in Node: `npm install standardwebhooks`, then
// WEBHOOK_SECRET=whsec_… PORT=8000 node webhook_receiver.js
const http = require("node:http");
const { Webhook } = require("standardwebhooks");

const webhook = new Webhook(process.env.WEBHOOK_SECRET);
const seen = new Set(); // in earnest: a table with a unique column, written together with what the event changes
const newest = new Map(); // the highest sequence of each object; in earnest: a column beside the object

function receive(request, response, body) {
  let event;
  try {
    event = webhook.verify(body, request.headers); // the bytes as they came: never parsed and stringified
  } catch {
    return response.writeHead(400).end(); // not from Meridian, altered, or too old: `meridian webhook explain` says which
  }
  if (!seen.has(event.id)) { // delivery is at least once: the same event may come again
    seen.add(event.id);
    if (event.sequence > (newest.get(event.object_id) ?? 0)) {
      newest.set(event.object_id, event.sequence);
      console.log("accepted", event.type, event.object_id, event.sequence);
    } else { // an earlier event that was stuck: the object is further already, so ask the API for its state
      console.log("late", event.type, event.object_id, event.sequence);
    }
  }
  return response.writeHead(204).end(); // quickly, within 20 seconds: longer work belongs in a queue of your own
}

http
  .createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => receive(request, response, Buffer.concat(parts).toString("utf8")));
  })
  .listen(Number(process.env.PORT), "127.0.0.1");
