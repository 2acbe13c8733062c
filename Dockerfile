# 黄雀的镜像。Oriole's image: the offline bundle of `make bundle`, installed. deploy/bundle.py says
# which packages of the lock run, each is checked by its hash, and deploy/install.sh installs them
# from their files alone.
#
#   docker build --tag oriole:0.1.0 .
#   docker build --secret id=pip,src=pip.conf …      # where packages come from a mirror of one's own
ARG PYTHON=python:3.12-slim

FROM ${PYTHON} AS builder
# Kernels are compiled for any processor of this architecture, so that their cache holds on whatever
# machine runs the image; it was measured to be as fast.
ENV PIP_CACHE_DIR=/pip PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
    NUMBA_CPU_NAME=generic NUMBA_CACHE_DIR=/var/cache/oriole
WORKDIR /src
COPY requirements.lock ./
RUN --mount=type=cache,target=/pip --mount=type=secret,id=pip,target=/etc/pip.conf \
    python -m venv /tools \
 && /tools/bin/python -m pip install -q --require-hashes --only-binary :all: -r requirements.lock
COPY . .
RUN --mount=type=cache,target=/pip --mount=type=secret,id=pip,target=/etc/pip.conf \
    /tools/bin/python -m pip install -q --no-deps --no-build-isolation . \
 && /tools/bin/python deploy/bundle.py /bundle \
 && tar -xzf /bundle/oriole-*.tar.gz --strip-components=1 -C /bundle \
 && /bundle/install.sh /opt/oriole
# A cache of numba belongs to its source by size and time, and an image that was pushed and pulled
# keeps whole seconds only. So the sources get whole seconds, and the kernels are compiled by them.
RUN find /opt/oriole/lib -path '*/site-packages/detector/*.py' \
      -exec sh -c 'for one; do touch -d "@$(stat -c %Y "$one")" "$one"; done' sh {} + \
 && rm -rf "${NUMBA_CACHE_DIR:?}" \
 && /opt/oriole/bin/python -c 'from detector.quick import warm; warm()'

FROM ${PYTHON}
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="Oriole 黄雀" \
      org.opencontainers.image.description="行政权力运行电子监察：逐环节判定并说明理由。Judges every step of an administrative case as it is recorded, and says why." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# To print official documents: Pango, and Chinese fonts.
RUN apt-get update -q \
 && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
      fonts-noto-cjk libharfbuzz-subset0 libpango-1.0-0 libpangoft2-1.0-0 \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 oriole \
 && useradd --uid 10001 --gid oriole --no-create-home --home-dir /var/lib/oriole \
      --shell /usr/sbin/nologin oriole \
 && install -d -o oriole -g oriole -m 0700 /var/lib/oriole
COPY --from=builder /opt/oriole /opt/oriole
COPY --from=builder --chown=10001:10001 /var/cache/oriole /var/cache/oriole
ENV PATH=/opt/oriole/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    NUMBA_CPU_NAME=generic NUMBA_CACHE_DIR=/var/cache/oriole ORIOLE_DATA=/var/lib/oriole
# numba reads its cache only where it could write: a volume is writable also where the root is not,
# and begins with what the image has.
VOLUME ["/var/cache/oriole"]
USER 10001:10001
WORKDIR /var/lib/oriole
ENTRYPOINT ["oriole"]
CMD ["--help"]
