// Recording as WAV of 16 bits: what browsers record themselves is in formats that the program cannot read.
const MOST_SECONDS = 3600;
const HEADER = 44;

export class Recorder {
  // tick is told the seconds; full, once, that no more is taken.
  constructor(tick, full) {
    this.tick = tick;
    this.full = full;
    this.context = null;
  }

  get possible() {
    return Boolean(navigator.mediaDevices && window.AudioWorkletNode);
  }

  get running() {
    return this.context !== null;
  }

  async start(mostBytes) {
    // Nothing that changes the voice: the corpora had none of it.
    const untouched = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    this.stream = await navigator.mediaDevices.getUserMedia({ audio: untouched });
    const context = new AudioContext();
    try {
      await context.audioWorklet.addModule("capture.js");
      const node = new AudioWorkletNode(context, "capture", { numberOfOutputs: 0 });
      this.pieces = [];
      this.frames = 0;
      this.left = Math.min(MOST_SECONDS * context.sampleRate, Math.floor((mostBytes - HEADER) / 2));
      node.port.onmessage = ({ data }) => this.#take(data);
      context.createMediaStreamSource(this.stream).connect(node);
      await context.resume();
    } catch (error) {
      this.#release(context);
      throw error;
    }
    this.context = context;
  }

  async stop() {
    const { context, pieces } = this;
    this.context = null;
    await this.#release(context);
    return wav(pieces, context.sampleRate);
  }

  #take(samples) {
    if (!this.context || !this.left) return;
    const piece = samples.subarray(0, this.left);
    this.pieces.push(piece);
    this.frames += piece.length;
    this.left -= piece.length;
    this.tick(this.frames / this.context.sampleRate);
    if (!this.left) this.full();
  }

  #release(context) {
    for (const track of this.stream.getTracks()) track.stop();
    return context.close();
  }
}

// Pieces of mono float32 samples of full scale 1 as a RIFF WAVE file of 16 bits.
export function wav(pieces, rate) {
  const frames = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const view = new DataView(new ArrayBuffer(HEADER + 2 * frames));
  const text = (at, letters) => [...letters].forEach((letter, n) => view.setUint8(at + n, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, HEADER - 8 + 2 * frames, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true); // bytes a second
  view.setUint16(32, 2, true); // bytes a frame
  view.setUint16(34, 16, true); // bits a sample
  text(36, "data");
  view.setUint32(40, 2 * frames, true);
  let at = HEADER;
  for (const piece of pieces) {
    for (const sample of piece) {
      view.setInt16(at, Math.max(-32768, Math.min(32767, Math.round(sample * 32768))), true);
      at += 2;
    }
  }
  return new Blob([view.buffer], { type: "audio/wav" });
}
