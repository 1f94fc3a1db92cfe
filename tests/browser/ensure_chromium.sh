#!/bin/sh
# Install a Chromium for the browser tests where that can be done without asking; say the command where it cannot.
# Must not fail: without a browser those tests skip, and under CI=true the skip itself fails.
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null 2>&1 && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing Debian's chromium for the browser tests ..."
    (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium) >/dev/null 2>&1 && exit 0
fi
.venv/bin/python -m playwright install chromium >/dev/null 2>&1 && exit 0
echo "No Chromium: the browser tests will be skipped. To enable them: sudo apt-get install chromium"
exit 0
