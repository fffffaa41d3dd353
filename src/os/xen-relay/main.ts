import {readOrders} from './orders.js'
import {receive} from './receive.js'
import {send} from './send.js'

/*
 *     node main.js ORDERS                        the receiving side
 *     node main.js ORDERS HOST xl migrate-...    the sending side, as xl calls what stands in for ssh
 */
const [file = '', _host, ...argv] = process.argv.slice(2)
const orders = readOrders(file)
if (orders.role === 'send') await send(orders, argv)
else receive(orders)
