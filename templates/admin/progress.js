// Follows a run: asks once a second, and shows the whole page anew when the run has ended.
(function () {
  "use strict";
  const box = document.querySelector("[data-progress]");
  if (!box) return;
  const bar = document.getElementById("bar");
  const step = document.getElementById("step");
  const count = document.getElementById("count");
  async function look() {
    let wait = 1000;
    try {
      const answer = await fetch(box.dataset.progress, { headers: { Accept: "application/json" } });
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      const run = await answer.json();
      if (run.state !== "running") {
        location.reload();
        return;
      }
      step.textContent = run.step || "at work";
      if (run.total) {
        bar.max = run.total;
        bar.value = run.done;
        count.textContent = run.done + " of " + run.total;
      } else {
        bar.removeAttribute("value");
        count.textContent = run.pending ? run.pending + " letters waiting" : "";
      }
    } catch (error) {
      wait = 5000;
    }
    setTimeout(look, wait);
  }
  setTimeout(look, 500);
})();
