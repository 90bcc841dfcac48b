"""A Docker host elsewhere: one system `ssh` per host, kept up, and what is reached through it.

What an engine wires for `host: ssh://deploy@shop-1`, or for a `context:NAME` that `targets.contexts.resolve` makes one:

    line = Line("ssh://deploy@shop-1", installation, paths.socket.with_suffix(".ssh"), clock, changed)
    line.start()                                     # returns at once; it connects and reconnects by itself
    await line.settled(5.0)                          # optional: until it is up or stopped, at most so long
    DockerTarget(line.docker_url, …, port_owners=far_port_owners(line), excuse=line.excuse)
    DockerBuilder(line.docker_url, …)
    CaddyEdge(FarFiles(line), subnet)
    Prober(edge.probe_socket, clock, line)           # asks the line about each silence; `public` asks from the host
    EdgePlace(line.known_edge(), line.admin_socket, line.known_owner())  # raises LineDown until it was up once
    line.state                                       # also given to `changed` whenever it changes
    await line.close()                               # after the target, the edge and the prober

Local sockets and their paths are known from the beginning; while the line is down nobody listens on them. All
environments of one host share one line. While Docker is closed to the login the line is up, and `excuse` says so.
"""
