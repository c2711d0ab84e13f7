// Microphone and loudspeaker of the browser phone, by way of two audio worklets.

const FOLDER = "/console/static/phone";
const MICROPHONE = {
  // Without the first the far end would hear itself and take it for the caller.
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
  channelCount: 1,
};

// Why no sound can be had, in words for people.
export class HandsetError extends Error {
  constructor(title, detail, { keysOnly = false } = {}) {
    super(title);
    this.detail = detail;
    this.keysOnly = keysOnly; // whether a call with the keys alone is possible
  }
}

// Events: frame ({detail: {frame, power}}), mark ({detail: name}), level ({detail: power}),
// unplugged.
export class Handset extends EventTarget {
  #context = null;
  #stream = null;
  #capture = null;
  #playback = null;

  // Must be called from a click: browsers make no sound before one.
  async open({ microphone = true } = {}) {
    if (!window.isSecureContext || !window.AudioWorkletNode) throw insecure();
    this.#context = new AudioContext({ latencyHint: "interactive" });
    try {
      const wanted = microphone ? openMicrophone() : null;
      const [stream] = await Promise.all([
        wanted,
        this.#context.audioWorklet.addModule(`${FOLDER}/capture.worklet.js`),
        this.#context.audioWorklet.addModule(`${FOLDER}/playback.worklet.js`),
      ]);
      this.#stream = stream;
      await this.#context.resume();
      this.#connect();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  play(bytes) {
    this.#playback?.port.postMessage({ audio: bytes }, [bytes.buffer]);
  }

  mark(name) {
    this.#playback?.port.postMessage({ mark: name });
  }

  clear() {
    this.#playback?.port.postMessage({ clear: true });
  }

  set muted(muted) {
    this.#capture?.port.postMessage({ muted });
  }

  close() {
    for (const node of [this.#capture, this.#playback]) {
      node?.port.postMessage({ stop: true });
      node?.disconnect();
    }
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    if (this.#context && this.#context.state !== "closed") this.#context.close();
    this.#context = this.#stream = this.#capture = this.#playback = null;
  }

  #connect() {
    const context = this.#context;
    const latency = (context.baseLatency || 0) + (context.outputLatency || 0);
    this.#capture = new AudioWorkletNode(context, "capture", { numberOfOutputs: 1 });
    this.#capture.port.onmessage = ({ data }) => this.#tell("frame", data);
    this.#playback = new AudioWorkletNode(context, "playback", {
      numberOfInputs: 0,
      outputChannelCount: [1],
      processorOptions: { latency },
    });
    this.#playback.port.onmessage = ({ data }) => {
      if ("mark" in data) this.#tell("mark", data.mark);
      else this.#tell("level", data.power);
    };
    if (this.#stream) {
      context.createMediaStreamSource(this.#stream).connect(this.#capture);
      this.#stream.getAudioTracks()[0].onended = () => this.#tell("unplugged");
    }
    this.#capture.connect(context.destination); // it puts nothing out, but is kept going
    this.#playback.connect(context.destination);
  }

  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

async function openMicrophone() {
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: MICROPHONE });
  } catch (error) {
    throw refused(error);
  }
}

function insecure() {
  return new HandsetError(
    "This page cannot use sound",
    `Browsers give microphone and sound to pages on https:// or on this machine (localhost) only, ` +
      `and this page came by ${location.protocol}//${location.host}. Open the console by https, ` +
      `or forward the port: ssh -L 8080:localhost:8080 SERVER, then open http://localhost:8080/console.`,
  );
}

const REFUSALS = {
  NotAllowedError: [
    "The microphone is blocked",
    "Allow it for this page: in the browser by the sign beside the address, or in the system's " +
      "privacy settings. Then call again.",
  ],
  NotFoundError: ["There is no microphone", "Plug one in, or switch it on, and call again."],
  NotReadableError: [
    "The microphone is busy",
    "Another program holds it. Close that one, and call again.",
  ],
};

function refused(error) {
  const [title, detail] = REFUSALS[error.name] ?? [
    "The microphone does not work",
    `The browser says ${error.name}. Try another microphone, or another browser.`,
  ];
  return new HandsetError(title, detail, { keysOnly: true });
}
