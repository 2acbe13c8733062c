// The newest findings, live. A hidden tab closes its stream: browsers allow six a host.
const list = document.getElementById("findings");
const rows = new Map(); // finding_id → its row
const shown = 20;
let source, last = "";

function show(finding) {
  if (finding.muted || rows.has(finding.finding_id)) return;
  const row = document.createElement("li");
  row.className = `tier${finding.tier}`;
  row.lang = "zh-CN";
  row.textContent = finding.sentence.zh;
  row.title = finding.sentence.en;
  rows.set(finding.finding_id, row);
  list.querySelector(".empty")?.remove();
  list.prepend(row);
  if (rows.size > shown) drop([...rows.keys()].find((id) => rows.get(id) === list.lastChild));
}

function drop(id) {
  rows.get(id)?.remove();
  rows.delete(id);
}

async function snapshot() {
  const told = await (await fetch(`/api/v1/findings?state=stands&limit=${shown}`)).json();
  told.items.reverse().forEach(show);
  if (rows.size) return;
  list.innerHTML = '<li class="empty">暂无发现 <span lang="en">none yet</span></li>';
}

function open() {
  source?.close();
  source = new EventSource(`/api/v1/stream${last ? `?last=${last}` : ""}`);
  // the list is read once the stream is open, so that nothing falls between the two
  source.addEventListener("open", () => { if (!last) snapshot(); });
  source.addEventListener("finding", (e) => {
    last = e.lastEventId;
    show(JSON.parse(e.data));
  });
  source.addEventListener("change", (e) => {
    last = e.lastEventId;
    const change = JSON.parse(e.data);
    if (change.reason !== "stands") drop(change.finding_id);
  });
  source.addEventListener("resync", (e) => {
    last = e.lastEventId;
    [...rows.keys()].forEach(drop);
    snapshot();
  });
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) source?.close();
  else open();
});
open();
