/** The page: where codes come from, where answers go. Nothing of a pass is kept, logged or sent. */

import { Camera, hasCamera, readFile } from "./camera.js";
import { TrustKeeper } from "./trust.js";
import { verifyPass } from "./verify.js";
import { showAnswer, showTrust, Words } from "./view.js";
import { CAMERA } from "./words.js";

const REFRESH_MS = 20_000;
const SCENE = "hutong-verifier-scene";
const MOST_FILE_BYTES = 20_000_000;

const element = (id) => document.getElementById(id);
const root = element("verifier");
const words = new Words(document.documentElement.lang);
const trust = new TrustKeeper(root.dataset.bundle, JSON.parse(root.dataset.key));
const camera = new Camera(element("video"));
let shownText = null;
let shownAnswer = null;
let usesCamera = false;

function scene() {
  return element("scene").value;
}

/** Decide about a text as things stand now. */
async function decide(text) {
  const answer = await verifyPass(text, trust.bundle, scene(), Date.now());
  if (trust.bundle === null && trust.problem) answer.reasons = [{ id: trust.problem, texts: null }];
  return answer;
}

/** Answer to what was read; null: a picture without a code. */
async function check(text, id = "no-code") {
  const unread = { answer: "unknown", reasons: [{ id, texts: null }], at: Date.now() };
  const answer = text === null ? unread : await decide(text);
  shownText = text;
  show(answer);
  root.dataset.state = "answer";
  element("answer").focus();
  element("answer").scrollIntoView({ block: "start" });
}

function show(answer) {
  shownAnswer = answer;
  const chosen = element("scene").selectedOptions[0].textContent;
  showAnswer(element("answer"), answer, { words, scene: chosen, bundle: trust.bundle });
}

/** The trust list and the clock go on while an answer stands: it is said anew when it has become another one. */
async function follow() {
  const text = shownText;
  if (text === null) return;
  const answer = await decide(text);
  if (text === shownText && gist(answer) !== gist(shownAnswer)) show(answer);
}

const gist = ({ answer, reasons }) => JSON.stringify([answer, reasons]);

function forget() {
  shownText = null;
  element("text").value = "";
  element("answer").replaceChildren();
  root.dataset.state = "ready";
}

async function scan() {
  forget();
  usesCamera = true;
  root.dataset.state = "camera";
  element("stop").focus();
  try {
    const text = await camera.watch();
    if (text !== null) await check(text);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    forget();
    usesCamera = false;
    element("trouble").textContent = words.of(error.name === "NotAllowedError" ? CAMERA.refused : CAMERA.none);
  }
}

async function readPicture(file) {
  forget();
  usesCamera = false;
  if (file === undefined) return;
  try {
    if (file.size > MOST_FILE_BYTES) throw new DOMException("too large");
    await check(await readFile(file));
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    await check(null, "picture-not-read");
  }
}

function chooseScene() {
  localStorage.setItem(SCENE, scene());
  if (shownText !== null) check(shownText);
}

function restoreScene() {
  const asked = new URLSearchParams(location.search).get("scene") ?? localStorage.getItem(SCENE);
  const known = Array.from(element("scene").options, (option) => option.value);
  if (known.includes(asked)) element("scene").value = asked;
}

async function refresh() {
  await trust.refresh();
  await tell();
}

/** How the trust list stands, and what that makes of the answer on the screen. */
async function tell() {
  showTrust(element("trust"), trust, words, Date.now());
  await follow();
}

function listen() {
  element("scan").hidden = !hasCamera();
  element("scan").addEventListener("click", scan);
  element("stop").addEventListener("click", () => {
    camera.stop();
    forget();
    element("scan").focus();
  });
  element("next").addEventListener("click", () => {
    if (usesCamera) scan();
    else forget();
  });
  element("picture").addEventListener("change", async (event) => {
    await readPicture(event.target.files[0]);
    event.target.value = "";
  });
  element("paste").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = element("text").value;
    forget();
    usesCamera = false;
    check(text);
  });
  element("scene").addEventListener("change", chooseScene);
  element("refresh").addEventListener("click", refresh);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) refresh();
  });
  setInterval(() => {
    if (document.hidden || !navigator.onLine) tell();
    else refresh();
  }, REFRESH_MS);
}

async function keepOffline() {
  if (!("serviceWorker" in navigator)) return;
  // One registration a page, so that no other page of the node is ever answered from here.
  const here = location.pathname;
  await navigator.serviceWorker.register(root.dataset.worker, { scope: here });
  await navigator.serviceWorker.ready;
  for (const scope of JSON.parse(root.dataset.pages)) {
    if (scope !== here) await navigator.serviceWorker.register(root.dataset.worker, { scope });
  }
  root.dataset.kept = "";
}

restoreScene();
listen();
await trust.restore();
showTrust(element("trust"), trust, words, Date.now());
root.dataset.state = "ready";
root.hidden = false;
await refresh();
root.dataset.ready = "";
await keepOffline();
