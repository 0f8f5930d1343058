/** Codes from a camera or a picture: by the platform's own detector where it has one, by this page's reader anywhere. */

import { readQr, WAYS } from "./qr.js";

const MOST_PIXELS_A_SIDE = 900;
const SCALES = [1, 0.6];
const PAUSE_MS = 60;

async function platformDetector() {
  try {
    const formats = await BarcodeDetector.getSupportedFormats();
    return formats.includes("qr_code") ? new BarcodeDetector({ formats: ["qr_code"] }) : null;
  } catch {
    return null; // there is none, or it does not work: this page reads codes itself
  }
}

/** Text of the code in a picture file, or null. Throws when the file is no picture. */
export async function readFile(file) {
  const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  const detected = await detect(await platformDetector(), picture).catch(() => null);
  if (detected !== null) return detected;
  for (const scale of SCALES) {
    const text = readQr(pixels(picture, picture.width, picture.height, scale), WAYS);
    if (text !== null) return text;
  }
  return null;
}

async function detect(detector, picture) {
  return (await detector?.detect(picture))?.[0]?.rawValue || null;
}

const canvas = document.createElement("canvas");

function pixels(picture, width, height, share = 1) {
  const scale = Math.min(1, MOST_PIXELS_A_SIDE / Math.max(width, height)) * share;
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

export const hasCamera = () => Boolean(navigator.mediaDevices?.getUserMedia);

/** A camera shown in a video element, watched until it sees a code. */
export class Camera {
  constructor(video) {
    this.video = video;
    this.stream = null;
    this.detector = null;
  }

  /** Resolves with the text of the first code, or with null when stopped. Throws when there is no camera to use. */
  async watch() {
    const wanted = { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 720 } };
    const stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    this.stream = stream;
    this.video.srcObject = stream;
    await this.video.play();
    this.detector = await platformDetector();
    for (let frame = 0; this.stream === stream; frame += 1) {
      const text = await this.look(frame);
      if (text !== null) {
        this.stop();
        return text;
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    return null;
  }

  async look(frame) {
    const { videoWidth, videoHeight } = this.video;
    if (!videoWidth) return null;
    try {
      if (this.detector !== null) return await detect(this.detector, this.video);
    } catch {
      this.detector = null; // its failures are no reason to give up
    }
    return readQr(pixels(this.video, videoWidth, videoHeight), [WAYS[frame % WAYS.length]]);
  }

  stop() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
  }
}
