"""What the system tests stand on: real processes and small loopback servers.

canary     secret values that can be recognised in every spelling
events     the events that API Gateway, Function URLs and load balancers send
process    starting a program and reading what it says; free ports
upstream   third-party APIs: a tap in front of httpbin, and ones that misbehave
door       HTTP in front of a function, for clients that know nothing of Lambda
verifiers  AWS with its checks switched on (moto), and nginx
vault      moto's Secrets Manager, and a front that counts who asks it
function   the function behind the Runtime Interface Emulator, or behind a
           Runtime API of ours where the emulator is too slow
world      all of it together, with the helpers that tests are written in
"""
