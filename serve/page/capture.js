// Runs where the browser has the samples: hands them on, as the mean of the channels, piece by piece.
class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.piece = new Float32Array(4096);
    this.filled = 0;
  }

  process([channels]) {
    const frames = channels.length ? channels[0].length : 0;
    for (let n = 0; n < frames; n += 1) {
      let sum = 0;
      for (const channel of channels) sum += channel[n];
      this.piece[this.filled] = sum / channels.length;
      this.filled += 1;
      if (this.filled === this.piece.length) {
        this.port.postMessage(this.piece.slice());
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("capture", Capture);
