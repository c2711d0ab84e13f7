// The wire of a call: the caller's end of a Twilio-shaped media stream over one WebSocket.

import { RATE_HZ } from "./g711.js";

const ACCOUNT = `AC${"0".repeat(32)}`;

// Events: open, audio ({detail: bytes}), mark ({detail: name}), clear, closed ({detail: {code, reason}}).
export class Line extends EventTarget {
  #socket;
  #call;
  #sequence = 0;
  #chunk = 0;
  #sent = 0;

  constructor(call) {
    super();
    this.#call = call;
    const url = new URL(call.media, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    this.#socket = new WebSocket(url);
    this.#socket.onopen = () => this.#start();
    this.#socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    this.#socket.onclose = ({ code, reason }) => this.#tell("closed", { code, reason });
  }

  get isOpen() {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  send(frame) {
    if (!this.isOpen) return;
    this.#chunk += 1;
    this.#message("media", {
      track: "inbound",
      chunk: String(this.#chunk),
      timestamp: String(Math.floor((this.#sent * 1000) / RATE_HZ)),
      payload: btoa(String.fromCharCode(...frame)),
    });
    this.#sent += frame.length;
  }

  press(digit) {
    if (this.isOpen) this.#message("dtmf", { track: "inbound_track", digit });
  }

  answerMark(name) {
    if (this.isOpen) this.#message("mark", { name });
  }

  hangUp() {
    if (this.isOpen) {
      this.#message("stop", { accountSid: ACCOUNT, callSid: this.#call.call_id });
    }
    this.#socket.close(1000);
  }

  #start() {
    const { call_id: callSid, stream_id: streamSid, token } = this.#call;
    this.#put({ event: "connected", protocol: "Call", version: "1.0.0" });
    this.#message("start", {
      streamSid,
      accountSid: ACCOUNT,
      callSid,
      tracks: ["inbound"],
      customParameters: { token },
      mediaFormat: { encoding: "audio/x-mulaw", sampleRate: RATE_HZ, channels: 1 },
    });
    this.#tell("open");
  }

  #receive(message) {
    if (message.event === "media") {
      const text = atob(message.media.payload);
      this.#tell("audio", Uint8Array.from(text, (character) => character.charCodeAt(0)));
    } else if (message.event === "mark") this.#tell("mark", message.mark.name);
    else if (message.event === "clear") this.#tell("clear");
  }

  #message(event, inner) {
    this.#sequence += 1;
    const { stream_id: streamSid } = this.#call;
    this.#put({ event, sequenceNumber: String(this.#sequence), streamSid, [event]: inner });
  }

  #put(message) {
    this.#socket.send(JSON.stringify(message));
  }

  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}
