// The panel "Live" of each leg: shows live minutes while somebody asks for them and looks, and lets go otherwise.
// The server holds the wish as long as the stream is open, so closing it is all it takes to spare the battery.
"use strict";

const LATE_S = 150; // a stocking that is live tells each 60 s; two missed are worth a word
const OPEN_AT_MOST = 4; // a browser keeps six connections to a server; the rest of the page needs some too
const open = []; // what stops each panel that is open, the longest open first

for (const panel of document.querySelectorAll("[data-live]")) {
  setUp(panel);
}
keepFresh(Number(document.body.dataset.refreshS));

function setUp(panel) {
  const button = panel.querySelector("button");
  const says = panel.querySelector(".says");
  const readings = panel.querySelector(".readings");
  const age = panel.querySelector(".age");
  let source = null; // the stream while it is open
  let heard = 0; // performance.now() of the newest minute, 0 before the first
  let ends = 0; // the timer that ends it even when the stream was reconnected meanwhile

  function start() {
    heard = 0;
    button.textContent = "Stop";
    says.textContent = "Asking for the stocking.";
    readings.hidden = age.hidden = true;
    source = new EventSource(panel.dataset.live);
    source.addEventListener("state", (event) => {
      const state = JSON.parse(event.data);
      ends ||= setTimeout(() => stop("Ended, to spare the stocking's battery.", "Go on"), state.ends_after_s * 1000);
      if (!heard || !state.gateways_online) says.textContent = state.sentence;
    });
    source.addEventListener("minute", (event) => show(JSON.parse(event.data)));
    source.addEventListener("end", (event) => stop(JSON.parse(event.data).sentence, "Go on"));
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) stop("The server cannot show live minutes at the moment. Try again later.", "Show live");
      else says.textContent = "The connection to the server broke. Trying again.";
    };
    if (open.length === OPEN_AT_MOST) open[0](`Stopped: at most ${OPEN_AT_MOST} legs are shown live at a time.`, "Show live");
    open.push(stop);
  }

  function stop(sentence, again) {
    if (source) source.close();
    clearTimeout(ends);
    source = null;
    ends = 0;
    says.textContent = sentence;
    button.textContent = again;
    if (open.includes(stop)) open.splice(open.indexOf(stop), 1);
  }

  function show(minute) {
    heard = performance.now() - minute.age_s * 1000;
    const floor = minute.ankle_floor_mmhg;
    const below = floor !== null && minute.ankle_mmhg !== null && minute.ankle_mmhg < floor;
    fill("ankle", pressure(minute.ankle_mmhg), floor === null ? "" : `${below ? "below the ordered" : "ordered: at least"} ${floor}`);
    fill("calf", pressure(minute.calf_mmhg), "");
    fill("thigh", pressure(minute.thigh_mmhg), "");
    fill("skin", minute.skin_c === null ? "sensor faulty" : `${minute.skin_c.toFixed(1)} °C`, "");
    fill("life", minute.charging ? "on the charger" : minute.moving ? "moving" : "at rest", `ripple ${minute.ripple_mmhg.toFixed(1)} mmHg`);
    says.textContent = "";
    readings.hidden = age.hidden = false;
    tick();
  }

  function fill(what, value, aside) {
    const place = readings.querySelector(`[data-of="${what}"]`);
    place.querySelector("b").textContent = value;
    place.querySelector(".aside").textContent = aside;
  }

  function tick() {
    if (!heard) return;
    const seconds = Math.max(0, Math.round((performance.now() - heard) / 1000));
    age.textContent = `${seconds} s since the last minute`;
    if (source && seconds === LATE_S) says.textContent = "The stocking has not answered for a while. It may be out of range.";
  }

  button.addEventListener("click", () => (source ? stop("Stopped.", "Show live") : start()));
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && source) stop("Stopped, because this page was not in view.", "Show live");
  });
  addEventListener("pagehide", () => source && stop("Stopped.", "Show live"));
  setInterval(tick, 1000);
  panel.hidden = false;
}

function pressure(mmhg) {
  return mmhg === null ? "sensor faulty" : `${Math.round(mmhg)} mmHg`;
}

// In place of the page's own refresh, which would end what is being watched.
function keepFresh(seconds) {
  if (!seconds) return;
  setInterval(() => {
    if (!open.length) location.reload();
  }, seconds * 1000);
}
