module kube-sci.dev/bench/noop-extender

go 1.26.0
